//! Texts that many rows repeat, as integers: resource types, search parameters, systems, packages.

use std::collections::HashMap;

use fhir::ResourceType;

use crate::search_index::GENERATION;
use crate::sql::{Connection, Rows, query};
use crate::{Error, Result, SearchIndex};

/// The number of "no system".
pub(in crate::sqlite) const NO_SYSTEM: i64 = 0;
/// The number of "any type": a reference by id alone.
pub(in crate::sqlite) const NO_TYPE: i64 = 0;

/// All names of a database. The writer adds to its own and publishes a copy with each commit that made new ones.
#[derive(Debug, Clone, Default)]
pub(in crate::sqlite) struct Names {
    types: Table,
    parameters: Parameters,
    systems: Table,
    packages: Table,
    /// What packages define, whose values stand under a name of their generation.
    pub index: SearchIndex,
}

#[derive(Debug, Clone, Default)]
struct Table {
    numbers: HashMap<String, i64>,
    names: HashMap<i64, String>,
    /// Made since the last commit.
    new: Vec<(i64, String)>,
}

impl Table {
    fn enter(&mut self, number: i64, name: String) {
        self.numbers.insert(name.clone(), number);
        self.names.insert(number, name);
    }

    fn intern(&mut self, name: &str) -> i64 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = next(self.names.len());
        self.new.push((number, name.to_owned()));
        self.enter(number, name.to_owned());
        number
    }
}

/// The parameters of each type. A resource asks for some twenty, by names that are not copied for it.
#[derive(Debug, Clone, Default)]
struct Parameters {
    numbers: HashMap<i64, HashMap<String, i64>>,
    names: HashMap<i64, (i64, String)>,
    /// Made since the last commit.
    new: Vec<(i64, (i64, String))>,
}

impl Parameters {
    fn enter(&mut self, number: i64, tid: i64, name: String) {
        self.numbers.entry(tid).or_default().insert(name.clone(), number);
        self.names.insert(number, (tid, name));
    }

    fn number(&self, tid: i64, name: &str) -> Option<i64> {
        self.numbers.get(&tid)?.get(name).copied()
    }

    fn intern(&mut self, tid: i64, name: &str) -> i64 {
        if let Some(number) = self.number(tid, name) {
            return number;
        }
        let number = next(self.names.len());
        self.new.push((number, (tid, name.to_owned())));
        self.enter(number, tid, name.to_owned());
        number
    }
}

/// The number after so many.
fn next(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX).saturating_add(1)
}

impl Names {
    /// Reads them all.
    pub async fn load(connection: &mut Connection, index: SearchIndex) -> Result<Self> {
        let mut names = Self { index, ..Self::default() };
        for row in query("SELECT tid, name FROM resource_types").fetch_all(&mut *connection).await? {
            names.types.enter(row.try_get(0)?, row.try_get(1)?);
        }
        for row in query("SELECT pid, tid, name FROM parameters").fetch_all(&mut *connection).await? {
            names.parameters.enter(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        }
        for row in query("SELECT sys, uri FROM systems").fetch_all(&mut *connection).await? {
            names.systems.enter(row.try_get(0)?, row.try_get(1)?);
        }
        for row in query("SELECT pkg, hash FROM packages").fetch_all(&mut *connection).await? {
            names.packages.enter(row.try_get(0)?, row.try_get(1)?);
        }
        Ok(names)
    }

    /// The number of a type, made when it is new.
    pub fn intern_type(&mut self, name: &str) -> i64 {
        self.types.intern(name)
    }

    /// The number of a parameter of a type, made when it is new.
    pub fn intern_parameter(&mut self, tid: i64, name: &str) -> i64 {
        let own = self.own_name(tid, name);
        self.parameters.intern(tid, own.as_deref().unwrap_or(name))
    }

    /// The name under which values stand of a parameter that a package defines, with the mark behind its code.
    fn own_name(&self, tid: i64, name: &str) -> Option<String> {
        if self.index.is_empty() {
            return None;
        }
        let code = name.split(':').next().unwrap_or(name);
        let held = self.index.find(self.types.names.get(&tid)?, code)?;
        Some(format!("{}{}", held.name, name.get(code.len()..).unwrap_or_default()))
    }

    /// Whether rows are of a parameter that a package defines, or defined.
    pub fn is_custom(&self, pid: Option<i64>) -> bool {
        let name = pid.and_then(|pid| self.parameters.names.get(&pid));
        name.is_some_and(|(_, name)| name.contains(GENERATION))
    }

    /// The number of a system, made when it is new.
    pub fn intern_system(&mut self, uri: Option<&str>) -> i64 {
        uri.filter(|uri| !uri.is_empty()).map_or(NO_SYSTEM, |uri| self.systems.intern(uri))
    }

    /// The number of an origin by its text, which for what messages made is the package's hash; made when it is new.
    pub fn intern_package(&mut self, text: &str) -> i64 {
        self.packages.intern(text)
    }

    /// The number of a type that has rows.
    pub fn type_number(&self, name: &str) -> Option<i64> {
        self.types.numbers.get(name).copied()
    }

    /// The type of a number.
    pub fn resource_type(&self, tid: i64) -> Result<ResourceType> {
        let name = self.types.names.get(&tid).ok_or(Error::Corrupt("the number of a resource type"))?;
        ResourceType::parse(name).ok_or(Error::Corrupt("the name of a resource type"))
    }

    /// The number of a parameter that has rows.
    pub fn parameter_number(&self, tid: i64, name: &str) -> Option<i64> {
        let own = self.own_name(tid, name);
        self.parameters.number(tid, own.as_deref().unwrap_or(name))
    }

    /// The number of a system that has rows; the empty one is "no system".
    pub fn system_number(&self, uri: &str) -> Option<i64> {
        if uri.is_empty() { Some(NO_SYSTEM) } else { self.systems.numbers.get(uri).copied() }
    }

    /// Writes what was made new since the last commit; as often as a transaction reads what names it. Returns whether there
    /// was anything.
    pub async fn save(&self, connection: &mut Connection) -> Result<bool> {
        let mut types =
            Rows::statement("INSERT INTO resource_types (tid, name)", "ON CONFLICT (tid) DO NOTHING", 2);
        self.types.new.iter().for_each(|(tid, name)| types.push([(*tid).into(), name.into()]));
        let mut parameters =
            Rows::statement("INSERT INTO parameters (pid, tid, name)", "ON CONFLICT (pid) DO NOTHING", 3);
        let new = self.parameters.new.iter();
        new.for_each(|(pid, (tid, name))| parameters.push([(*pid).into(), (*tid).into(), name.into()]));
        let mut systems =
            Rows::statement("INSERT INTO systems (sys, uri)", "ON CONFLICT (sys) DO NOTHING", 2);
        self.systems.new.iter().for_each(|(sys, uri)| systems.push([(*sys).into(), uri.into()]));
        let mut packages =
            Rows::statement("INSERT INTO packages (pkg, hash)", "ON CONFLICT (pkg) DO NOTHING", 2);
        self.packages.new.iter().for_each(|(pkg, hash)| packages.push([(*pkg).into(), hash.into()]));
        let tables = [types, parameters, systems, packages];
        let any = tables.iter().any(|rows| !rows.is_empty());
        for rows in tables {
            rows.execute(connection).await?;
        }
        Ok(any)
    }

    /// What was saved is durable.
    pub fn committed(&mut self) {
        self.types.new.clear();
        self.parameters.new.clear();
        self.systems.new.clear();
        self.packages.new.clear();
    }
}
