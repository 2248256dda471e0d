//! What a run of writes does to resources, worked out in memory and then written table by table, so that the number of
//! statements does not grow with the number of resources.

use std::collections::{BTreeSet, HashMap};

use fhir::{IndexValue, bounded_name};

use super::entries::{DATE, IndexRow, OF_PATIENT, UNDATED, cut, decode, encode, fold, text_row};
use super::index_change::IndexChange;
use super::names::{NO_TYPE, Names};
use super::prepare::PreparedVersion;
use super::state::Counters;
use crate::sql::{Connection, Rows, Value};
use crate::{Error, IndexEntry, Result};

/// The type whose compartments exist.
const PATIENT: &str = "Patient";

/// (type number, id)
pub(super) type SlotKey = (i64, String);

/// Every resource that a run touches or refers to.
#[derive(Debug, Default)]
pub(in crate::sqlite) struct Plan {
    slots: HashMap<SlotKey, Slot>,
    /// Versions that were current for no longer than this run: (rid, version row).
    passed: Vec<(i64, Current)>,
    /// (type, resource, version, instant)
    changes: Vec<(i64, i64, u32, i64)>,
}

/// One resource.
#[derive(Debug, Default)]
struct Slot {
    rid: i64,
    /// Version in the database; 0: none.
    stored: u32,
    stored_live: bool,
    stored_rows: Vec<IndexRow>,
    source_version: u32,
    /// Whether the resource has a row at all.
    known: bool,
    current: Option<Current>,
    /// Index rows of the version that is stored, made again.
    reindexed: Option<Vec<IndexRow>>,
}

/// What index rows are made of.
#[derive(Clone, Copy)]
pub(in crate::sqlite) struct IndexedRef<'a> {
    resource_type: &'static str,
    id: &'a str,
    patient: Option<&'a str>,
    index: &'a [IndexEntry],
}

/// A stored resource whose index rows are made again.
pub(in crate::sqlite) struct Indexed {
    pub resource_type: &'static str,
    pub id: String,
    pub version: u32,
    pub patient: Option<String>,
    pub index: Vec<IndexEntry>,
}

impl Indexed {
    /// What its index rows are made of.
    pub fn of(&self) -> IndexedRef<'_> {
        let Self { resource_type, id, patient, index, .. } = self;
        IndexedRef { resource_type, id, patient: patient.as_deref(), index }
    }
}

impl<'a> From<&'a PreparedVersion> for IndexedRef<'a> {
    fn from(version: &'a PreparedVersion) -> Self {
        Self {
            resource_type: version.resource_type,
            id: &version.id,
            patient: version.patient.as_deref(),
            index: &version.index,
        }
    }
}

/// The version a run leaves behind.
#[derive(Debug)]
struct Current {
    version: u32,
    updated_us: i64,
    deleted: bool,
    source_version: u32,
    patient: Option<String>,
    pkg: i64,
    rows: Vec<IndexRow>,
    body: Vec<u8>,
}

impl Slot {
    fn version(&self) -> u32 {
        self.current.as_ref().map_or(self.stored, |current| current.version)
    }
}

impl Plan {
    /// Reads what the database holds of every resource that these versions are of or refer to.
    pub async fn load<'a>(
        versions: impl Iterator<Item = impl Into<IndexedRef<'a>>>,
        names: &mut Names,
        connection: &mut Connection,
    ) -> Result<Self> {
        let mut plan = Self::default();
        for version in versions {
            let version: IndexedRef<'_> = version.into();
            plan.slots.entry(key(names, version.resource_type, version.id)).or_default();
            if let Some(patient) = version.patient {
                plan.slots.entry(key(names, PATIENT, patient)).or_default();
            }
            for entry in version.index {
                if let IndexValue::Reference { resource_type, id } = &entry.value {
                    plan.slots.entry(target(names, resource_type.as_deref(), id)).or_default();
                }
            }
        }
        let mut asked = Rows::statement(
            "SELECT r.id, r.tid, r.rid, r.version, r.deleted, r.source_version, r.entries FROM (",
            ") AS asked CROSS JOIN resources r ON r.id = asked.column1 AND r.tid = asked.column2",
            2,
        );
        plan.slots.keys().for_each(|(tid, id)| asked.push([id.as_str().into(), (*tid).into()]));
        for row in asked.fetch(connection).await? {
            let (id, tid): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
            let stored = number(row.try_get(3)?)?;
            let slot = Slot {
                rid: row.try_get(2)?,
                stored,
                stored_live: stored > 0 && !row.try_get::<bool, _>(4)?,
                stored_rows: decode(row.try_get(6)?)?,
                source_version: number(row.try_get(5)?)?,
                known: true,
                current: None,
                reindexed: None,
            };
            plan.slots.insert((tid, id), slot);
        }
        Ok(plan)
    }

    /// The version that a resource has now and the source version it was made from.
    pub fn versions(&self, names: &mut Names, resource_type: &str, id: &str) -> (u32, u32) {
        let slot = self.slots.get(&key(names, resource_type, id));
        slot.map_or((0, 0), |slot| (slot.version(), slot.source_version))
    }

    /// Whether these versions, in order, can follow what is there.
    #[cfg(feature = "clinical")]
    pub fn check(&self, names: &mut Names, versions: &[PreparedVersion]) -> Result<()> {
        let mut seen: HashMap<SlotKey, u32> = HashMap::new();
        for version in versions {
            let key = key(names, version.resource_type, &version.id);
            let last = match seen.get(&key) {
                Some(last) => *last,
                None => self.slots.get(&key).map_or(0, Slot::version),
            };
            if version.version <= last {
                return Err(Error::Conflict("a version that exists"));
            }
            seen.insert(key, version.version);
        }
        Ok(())
    }

    /// Takes a version as current; returns the resource's number. `as_version` is what it is stored as, `body` its stored
    /// form.
    pub fn put(
        &mut self,
        version: &PreparedVersion,
        body: Vec<u8>,
        as_version: u32,
        source_version: u32,
        names: &mut Names,
        counters: &mut Counters,
    ) -> Result<i64> {
        let rows = match version.deleted {
            true => Vec::new(),
            false => self.index_rows(version.into(), names, counters)?,
        };
        let current = Current {
            version: as_version,
            updated_us: version.updated_us,
            deleted: version.deleted,
            source_version,
            patient: version.patient.clone(),
            pkg: names.intern_package(&version.origin),
            rows,
            body,
        };
        let rid = self.rid(key(names, version.resource_type, &version.id), counters);
        let Some(slot) = self.slots.get_mut(&key(names, version.resource_type, &version.id)) else {
            return Err(Error::NotFound);
        };
        slot.source_version = source_version;
        if let Some(passed) = slot.current.replace(current) {
            self.passed.push((rid, passed));
        }
        let tid = names.intern_type(version.resource_type);
        self.changes.push((tid, rid, as_version, version.updated_us));
        Ok(rid)
    }

    /// Makes the index rows of a stored resource again; its version stays.
    pub fn reindex(&mut self, indexed: &Indexed, names: &mut Names, counters: &mut Counters) -> Result<()> {
        let rows = self.index_rows(indexed.of(), names, counters)?;
        let key = key(names, indexed.resource_type, &indexed.id);
        self.slots.get_mut(&key).ok_or(Error::NotFound)?.reindexed = Some(rows);
        Ok(())
    }

    /// Makes the rows of parameters that packages define again, of the version that they were read from; a later one came
    /// with its own. Where nothing changes, nothing is written.
    pub fn reindex_custom(
        &mut self,
        indexed: &Indexed,
        names: &mut Names,
        counters: &mut Counters,
    ) -> Result<()> {
        let key = key(names, indexed.resource_type, &indexed.id);
        let stands = |slot: &&Slot| slot.stored_live && slot.stored == indexed.version;
        let Some(slot) = self.slots.get(&key).filter(stands) else { return Ok(()) };
        let others = slot.stored_rows.iter().filter(|row| !names.is_custom(row.parameter()));
        let mut rows: BTreeSet<IndexRow> = others.cloned().collect();
        rows.extend(self.index_rows(indexed.of(), names, counters)?);
        let rows: Vec<IndexRow> = rows.into_iter().collect();
        let slot = self.slots.get_mut(&key).ok_or(Error::NotFound)?;
        slot.reindexed = Some(rows).filter(|rows| *rows != slot.stored_rows);
        Ok(())
    }

    fn index_rows(
        &mut self,
        version: IndexedRef<'_>,
        names: &mut Names,
        counters: &mut Counters,
    ) -> Result<Vec<IndexRow>> {
        let tid = names.intern_type(version.resource_type);
        let mut rows = BTreeSet::new();
        let newness = newness(version, names);
        let names_patients = names.index.find(version.resource_type, OF_PATIENT).is_none();
        if let Some(patient) = version.patient {
            let patient = self.rid(key(names, PATIENT, patient), counters);
            rows.insert(IndexRow::Compartment { patient, newness });
        }
        for entry in version.index {
            let pid = match &entry.value {
                // A bound is no value of the parameter itself.
                IndexValue::Quantity { comparator: Some(comparator), .. }
                    if !entry.parameter.contains(':') =>
                {
                    names.intern_parameter(tid, &bounded_name(&entry.parameter, *comparator))
                }
                _ => names.intern_parameter(tid, &entry.parameter),
            };
            let row = match &entry.value {
                IndexValue::Token { system, code } => {
                    IndexRow::Token { pid, code: fold(code), sys: names.intern_system(system.as_deref()) }
                }
                IndexValue::Reference { resource_type, id } => {
                    let target = target(names, resource_type.as_deref(), id);
                    let target = self.rid(target, counters);
                    if names_patients && entry.parameter == OF_PATIENT {
                        rows.insert(IndexRow::Compartment { patient: target, newness });
                    }
                    IndexRow::Reference { pid, target }
                }
                IndexValue::String(text) => text_row(pid, text),
                IndexValue::Date { low_us, high_us } => {
                    IndexRow::Date { pid, low_us: *low_us, high_us: *high_us }
                }
                IndexValue::Quantity { value, system, code, .. } => {
                    let sys = names.intern_system(system.as_deref());
                    IndexRow::Number { pid, sys, unit: code.clone().unwrap_or_default(), bits: bits(value)? }
                }
                IndexValue::Uri(uri) => IndexRow::Uri { pid, uri: cut(uri) },
                IndexValue::Number(value) => {
                    IndexRow::Number { pid, sys: 0, unit: String::new(), bits: bits(value)? }
                }
            };
            rows.insert(row);
        }
        Ok(rows.into_iter().collect())
    }

    /// The number of a resource, given when it is new.
    fn rid(&mut self, key: SlotKey, counters: &mut Counters) -> i64 {
        let slot = self.slots.entry(key).or_default();
        if slot.rid == 0 {
            counters.rid += 1;
            slot.rid = counters.rid;
        }
        slot.rid
    }

    /// Writes all of it.
    pub async fn write(self, counters: &mut Counters, connection: &mut Connection) -> Result<()> {
        let tables = self.tables(counters);
        for rows in tables {
            rows.execute(connection).await?;
        }
        Ok(())
    }

    /// The statements, in an order in which they can run.
    fn tables(self, counters: &mut Counters) -> Vec<Rows> {
        let Self { slots, passed, changes } = self;
        let mut archive = Rows::statement(ARCHIVE_STORED, ") AND r.version > 0", 1);
        let mut versions = Rows::put(INSERT_VERSIONS, 8);
        let mut added = Rows::put(INSERT_RESOURCES, 11);
        let mut resources = Rows::statement(INSERT_RESOURCES, UPSERT_RESOURCE, 11);
        let mut live: HashMap<i64, i64> = HashMap::new();
        let mut index = IndexChange::default();
        let mut entries = Rows::each(UPDATE_ENTRIES, 2);
        // In the order of their numbers, in which they lie.
        let mut slots: Vec<(SlotKey, Slot)> = slots.into_iter().collect();
        slots.sort_unstable_by_key(|(_, slot)| slot.rid);
        for ((tid, id), slot) in slots {
            let Slot { rid, stored, stored_live, stored_rows, known, current, reindexed, .. } = slot;
            if let Some(rows) = reindexed.filter(|_| current.is_none()) {
                entries.push([encode(&rows).into(), rid.into()]);
                index.replace(tid, rid, stored_rows, rows);
                continue;
            }
            match current {
                Some(current) => {
                    if stored > 0 {
                        archive.push([rid.into()]);
                    }
                    *live.entry(tid).or_default() += i64::from(!current.deleted) - i64::from(stored_live);
                    let mut current = current;
                    let rows = std::mem::take(&mut current.rows);
                    let stored = if known { &mut resources } else { &mut added };
                    stored.push(resource_row(rid, tid, id, encode(&rows), current));
                    index.replace(tid, rid, stored_rows, rows);
                }
                None if !known && rid > 0 => added.push(unstored_row(rid, tid, id)),
                None => {}
            }
        }
        for (rid, current) in passed {
            versions.push(version_row(rid, current));
        }
        let mut change_rows = Rows::put("INSERT INTO changes (change, tid, rid, version, latest_us)", 5);
        for (tid, rid, version, at_us) in changes {
            counters.change += 1;
            counters.latest_us = counters.latest_us.max(at_us);
            let latest = counters.latest_us.into();
            change_rows.push([counters.change.into(), tid.into(), rid.into(), version.into(), latest]);
        }
        let mut counts = Rows::statement(INSERT_COUNTS, UPSERT_COUNT, 2);
        live.into_iter()
            .filter(|(_, by)| *by != 0)
            .for_each(|(tid, by)| counts.push([tid.into(), by.into()]));
        let mut tables = vec![archive, versions, added, resources, entries, change_rows, counts];
        tables.extend(index.into_tables());
        tables
    }
}

const ARCHIVE_STORED: &str =
    "INSERT INTO resource_versions (rid, version, updated_us, deleted, source_version, patient, pkg, body)
    SELECT r.rid, r.version, r.updated_us, r.deleted, r.source_version, r.patient, r.pkg, r.body
    FROM resources r WHERE r.rid IN (";
const INSERT_VERSIONS: &str =
    "INSERT INTO resource_versions (rid, version, updated_us, deleted, source_version, patient, pkg, body)";
const INSERT_RESOURCES: &str = "INSERT INTO resources
    (rid, tid, id, version, updated_us, deleted, source_version, patient, pkg, entries, body)";
const UPSERT_RESOURCE: &str = "ON CONFLICT (rid) DO UPDATE SET version = excluded.version,
    updated_us = excluded.updated_us, deleted = excluded.deleted, source_version = excluded.source_version,
    patient = excluded.patient, pkg = excluded.pkg, entries = excluded.entries, body = excluded.body";
const UPDATE_ENTRIES: &str = "UPDATE resources SET entries = ? WHERE rid = ?";
const INSERT_COUNTS: &str = "INSERT INTO type_counts (tid, live)";
const UPSERT_COUNT: &str = "ON CONFLICT (tid) DO UPDATE SET live = type_counts.live + excluded.live";

fn resource_row(rid: i64, tid: i64, id: String, entries: Vec<u8>, current: Current) -> [Value; 11] {
    [
        rid.into(),
        tid.into(),
        id.into(),
        current.version.into(),
        current.updated_us.into(),
        current.deleted.into(),
        current.source_version.into(),
        current.patient.into(),
        current.pkg.into(),
        entries.into(),
        current.body.into(),
    ]
}

/// The row of a resource that others refer to before it comes, or that never will.
fn unstored_row(rid: i64, tid: i64, id: String) -> [Value; 11] {
    let (zero, none) = (Value::Int(0), Value::Null);
    let empty = Value::Blob(Vec::new());
    [
        rid.into(),
        tid.into(),
        id.into(),
        zero.clone(),
        zero.clone(),
        zero.clone(),
        zero,
        none.clone(),
        none,
        empty.clone(),
        empty,
    ]
}

fn version_row(rid: i64, current: Current) -> [Value; 8] {
    [
        rid.into(),
        current.version.into(),
        current.updated_us.into(),
        current.deleted.into(),
        current.source_version.into(),
        current.patient.into(),
        current.pkg.into(),
        current.body.into(),
    ]
}

fn key(names: &mut Names, resource_type: &str, id: &str) -> SlotKey {
    (names.intern_type(resource_type), id.to_owned())
}

fn target(names: &mut Names, resource_type: Option<&str>, id: &str) -> SlotKey {
    (resource_type.map_or(NO_TYPE, |name| names.intern_type(name)), id.to_owned())
}

/// Where a version stands among the newest of a patient: the negated beginning of the latest of its dates, as a search in the
/// order `-date` has it, and behind all others where it has none.
fn newness(version: IndexedRef<'_>, names: &Names) -> i64 {
    // A package's parameter of that code decides nothing: it may go.
    let is_own = names.index.find(version.resource_type, DATE).is_none();
    let dates = version.index.iter().filter(|entry| is_own && entry.parameter == DATE);
    let dates = dates.filter_map(|entry| match entry.value {
        IndexValue::Date { low_us, .. } => Some(low_us.saturating_neg()),
        _ => None,
    });
    dates.min().unwrap_or(UNDATED)
}

/// A number as an index key; the exact decimal stays in the body.
fn bits(value: &str) -> Result<i64> {
    let value: f64 = value.parse().map_err(|_| Error::Conflict("an index value that is no number"))?;
    // 0.0 and -0.0 are one key of the table.
    let value = if value == 0.0 { 0.0 } else { value };
    if value.is_nan() {
        Err(Error::Conflict("an index value that is no number"))
    } else {
        Ok(value.to_bits().cast_signed())
    }
}

pub(super) fn number(value: i64) -> Result<u32> {
    u32::try_from(value).map_err(|_| Error::Corrupt("a version number"))
}
