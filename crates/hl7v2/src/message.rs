//! CONTRACT (signatures other crates build on; bodies to be written).
use std::borrow::Cow;

/// A byte range of the raw message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span { pub start: u32, pub end: u32 }

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delimiters { pub field: u8, pub component: u8, pub repetition: u8, pub escape: Option<u8>, pub subcomponent: u8, pub truncation: Option<u8> }

/// Why bytes are no HL7 v2 message (no MSH). The only hard error; all else is an issue beside the value.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable { #[error("no MSH segment")] NoHeader }

/// HL7's three states: absent, the null `""`, valued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence { Absent, Null, Valued }

/// A message read leniently; borrows the bytes; Debug prints sizes only.
pub struct Message<'m> { _bytes: &'m [u8] }

impl<'m> Message<'m> {
    pub fn read(_bytes: &'m [u8]) -> Result<Self, Unreadable> { unimplemented!() }
    pub fn bytes(&self) -> &'m [u8] { unimplemented!() }
    pub fn delimiters(&self) -> Delimiters { unimplemented!() }
    pub fn segment_count(&self) -> usize { unimplemented!() }
    /// The n-th segment of the message, 0-based, in message order.
    pub fn segment(&self, _index: usize) -> Option<SegmentRef<'_>> { unimplemented!() }
    pub fn segments(&self) -> impl Iterator<Item = SegmentRef<'_>> { std::iter::empty() }
    /// Every populated leaf (subcomponent with bytes), delimiters of MSH-1/2 excluded, in message order.
    pub fn leaves(&self) -> impl Iterator<Item = Leaf> + '_ { std::iter::empty() }
}

#[derive(Clone, Copy)]
pub struct SegmentRef<'a> { pub index: usize, _m: std::marker::PhantomData<&'a ()> }
impl<'a> SegmentRef<'a> {
    /// `PID`; lossy for odd bytes.
    pub fn name(&self) -> &'a str { unimplemented!() }
    /// Field n, 1-based (MSH-1 is the separator). Absent fields give a Part whose presence is Absent.
    pub fn field(&self, _n: usize) -> Part<'a> { unimplemented!() }
    /// Highest field number present.
    pub fn field_count(&self) -> usize { unimplemented!() }
    pub fn span(&self) -> Span { unimplemented!() }
}

/// A field, repetition, component or subcomponent; `Copy`, borrows the message, splits on read.
#[derive(Clone, Copy)]
pub struct Part<'a> { _m: std::marker::PhantomData<&'a ()> }
impl<'a> Part<'a> {
    pub fn presence(&self) -> Presence { unimplemented!() }
    /// Bytes as sent, undecoded.
    pub fn raw(&self) -> &'a [u8] { unimplemented!() }
    pub fn span(&self) -> Span { unimplemented!() }
    /// Decoded by the message's charset and unescaped. Borrowed when nothing had to change.
    pub fn text(&self) -> Cow<'a, str> { unimplemented!() }
    /// Of a field: its repetitions (0-based count); of anything lower: itself.
    pub fn repetition_count(&self) -> usize { unimplemented!() }
    /// 0-based repetition of a field.
    pub fn repetition(&self, _i: usize) -> Part<'a> { unimplemented!() }
    /// 1-based component. On a field: of its first repetition.
    pub fn component(&self, _n: usize) -> Part<'a> { unimplemented!() }
    pub fn component_count(&self) -> usize { unimplemented!() }
    /// 1-based subcomponent.
    pub fn subcomponent(&self, _n: usize) -> Part<'a> { unimplemented!() }
    pub fn subcomponent_count(&self) -> usize { unimplemented!() }
    /// The populated leaves under this part.
    pub fn leaves(&self) -> impl Iterator<Item = Leaf> + 'a { std::iter::empty() }
}

/// Where a leaf stands: segment index (0-based), field, repetition (0-based), component and subcomponent (1-based).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeafPath { pub segment: u32, pub field: u16, pub repetition: u16, pub component: u16, pub subcomponent: u16 }
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf { pub path: LeafPath, pub span: Span }
