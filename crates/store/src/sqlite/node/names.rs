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
    types: Table<String>,
    parameters: Table<(i64, String)>,
    systems: Table<String>,
    packages: Table<String>,
    /// What packages define, whose values stand under a name of their generation.
    pub index: SearchIndex,
}

#[derive(Debug, Clone)]
struct Table<K> {
    numbers: HashMap<K, i64>,
    names: HashMap<i64, K>,
    /// Made since the last commit.
    new: Vec<(i64, K)>,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), names: HashMap::new(), new: Vec::new() }
    }
}

impl<K: Clone + Eq + std::hash::Hash> Table<K> {
    fn enter(&mut self, number: i64, name: K) {
        self.numbers.insert(name.clone(), number);
        self.names.insert(number, name);
    }

    fn intern(&mut self, name: K) -> i64 {
        if let Some(number) = self.numbers.get(&name) {
            return *number;
        }
        let number = i64::try_from(self.numbers.len()).unwrap_or(i64::MAX).saturating_add(1);
        self.new.push((number, name.clone()));
        self.enter(number, name);
        number
    }
}

impl Names {
    /// Reads them all.
    pub async fn load(connection: &mut Connection, index: SearchIndex) -> Result<Self> {
        let mut names = Self { index, ..Self::default() };
        for row in query("SELECT tid, name FROM resource_types").fetch_all(&mut *connection).await? {
            names.types.enter(row.try_get(0)?, row.try_get(1)?);
        }
        for row in query("SELECT pid, tid, name FROM parameters").fetch_all(&mut *connection).await? {
            names.parameters.enter(row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?));
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
        self.types.intern(name.to_owned())
    }

    /// The number of a parameter of a type, made when it is new.
    pub fn intern_parameter(&mut self, tid: i64, name: &str) -> i64 {
        let name = self.own_name(tid, name).unwrap_or_else(|| name.to_owned());
        self.parameters.intern((tid, name))
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
        uri.filter(|uri| !uri.is_empty()).map_or(NO_SYSTEM, |uri| self.systems.intern(uri.to_owned()))
    }

    /// The number of an origin by its text, which for what messages made is the package's hash; made when it is new.
    pub fn intern_package(&mut self, text: &str) -> i64 {
        self.packages.intern(text.to_owned())
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
        let name = self.own_name(tid, name).unwrap_or_else(|| name.to_owned());
        self.parameters.numbers.get(&(tid, name)).copied()
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
