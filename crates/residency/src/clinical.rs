//! Identified data in memory, and the leave to look at it.

use std::fmt;
use std::marker::PhantomData;

/// Identified data (PHI) in memory: no `Serialize`, `Display` or `AsRef`; `Debug` prints `[phi]`.
///
/// ```compile_fail
/// let resource = residency::Clinical::new(serde_json::json!({"resourceType": "Patient"}));
/// serde_json::to_vec(&resource).unwrap();
/// ```
/// ```compile_fail
/// let resource = residency::Clinical::new("Mary".to_owned());
/// println!("{resource}");
/// ```
/// ```compile_fail
/// let resource = residency::Clinical::new("Mary".to_owned());
/// let text: &str = resource.as_ref();
/// ```
/// ```compile_fail
/// use residency::{Clinical, Cloud, Permit, Purpose};
/// let permit: Permit<Cloud> = Permit::on_prem(Purpose::Store);
/// ```
#[derive(Clone)]
pub struct Clinical<T>(T);

impl<T> Clinical<T> {
    /// Marks a value as identified.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for code that runs on-prem.
    pub fn expose(&self, _permit: &Permit<OnPrem>) -> &T {
        &self.0
    }

    /// The value without its mark, for code that runs on-prem.
    pub fn into_exposed(self, _permit: &Permit<OnPrem>) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Clinical<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[phi]")
    }
}

/// The zone that may hold identified data.
#[derive(Debug)]
pub enum OnPrem {}

/// A zone that receives de-identified data alone.
#[derive(Debug)]
pub enum Cloud {}

/// Why a piece of code looks at identified data; every use is found by the name of its purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To write it to the clinical store.
    Store,
    /// To translate a message.
    Translate,
    /// To de-identify it.
    Deidentify,
    /// To answer a read on the clinical role.
    ClinicalRest,
    /// To show it in the on-prem console.
    Console,
}

/// Leave to look at identified data inside one zone. There is none for [`Cloud`].
#[derive(Debug)]
pub struct Permit<Zone> {
    purpose: Purpose,
    zone: PhantomData<Zone>,
}

impl Permit<OnPrem> {
    /// Leave for code of the on-prem node.
    pub fn on_prem(purpose: Purpose) -> Self {
        Self { purpose, zone: PhantomData }
    }

    /// What it was given for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }
}
