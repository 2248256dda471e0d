//! A clause twice: as a test of a resource, and, where its rows lie together in the index, as the parts of the index that
//! find what may match.

use std::collections::HashSet;
use std::pin::Pin;

use fhir::{
    Comparator, DateMatch, Prefix, ResourceType, bounded_name, component_name, fold_string, identifier_name,
};

use super::Engine;
use super::body::{Asked, BodyTest};
use super::range::{LISTED_MAX, Lie, Range};
use super::test::{Quantity, Test};
use crate::sqlite::node::entries::{cut, fold};
use crate::sqlite::node::names::{NO_TYPE, Names};
use crate::{
    Clause, Error, Ids, QuantityValue, Result, SORTED_MAX, TextMatch, TokenValue, TypedValue, UriMatch,
};

/// Parts of an index beyond which they are not merged in order.
const MERGED_MAX: usize = 64;

/// What the index finds a clause by.
#[derive(Debug, Clone, Default)]
pub(super) struct Driver {
    pub ranges: Vec<Range>,
    /// Whether all that it selects matches.
    pub exact: bool,
    /// The place of its clause.
    pub clause: usize,
}

impl Driver {
    fn exact(ranges: Vec<Range>) -> Self {
        Self { ranges, exact: true, clause: 0 }
    }

    /// Whether what it selects can be merged by number.
    pub fn is_ordered(&self) -> bool {
        self.ranges.len() <= MERGED_MAX && self.ranges.iter().all(Range::is_ordered)
    }
}

/// A clause ready to run. Without a driver it can only be tested.
#[derive(Debug)]
pub(super) struct Compiled {
    pub test: Test,
    pub driver: Option<Driver>,
}

/// The type that a clause is asked of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Of {
    pub resource_type: ResourceType,
    pub tid: i64,
}

type Compiling<'s> = Pin<Box<dyn Future<Output = Result<Compiled>> + Send + 's>>;

impl Engine<'_> {
    /// Prepares a clause.
    pub fn compile<'s>(&'s mut self, clause: &'s Clause, of: Of) -> Compiling<'s> {
        Box::pin(async move {
            let number = |engine: &Self, name: &str| engine.reader.names.parameter_number(of.tid, name);
            Ok(match clause {
                Clause::Id(ids) => {
                    let range = |id: &String| Range::Id { id: id.clone(), tid: of.tid };
                    let driver = Some(Driver::exact(ids.iter().map(range).collect()));
                    Compiled { test: Test::Ids(ids.iter().cloned().collect()), driver }
                }
                Clause::Updated(values) => {
                    let ranges = values.iter().flat_map(|value| updated(value, of.tid)).collect();
                    Compiled { test: Test::Updated(values.clone()), driver: Some(Driver::exact(ranges)) }
                }
                Clause::Token { parameter, values, not } => {
                    let pid = number(self, parameter);
                    self.token(pid, values, *not).await?
                }
                Clause::Reference { parameter, values } => {
                    let pid = number(self, parameter);
                    self.reference(pid, values).await?
                }
                Clause::Date { parameter, values } => dates(number(self, parameter), values),
                Clause::Text { parameter, values, how } => texts(number(self, parameter), values, *how),
                Clause::Uri { parameter, values, how } => uris(number(self, parameter), values, *how),
                Clause::Number { parameter, values } => self.numbers(parameter, values, of),
                Clause::Missing { parameter, missing } => {
                    let bounded = Comparator::ALL.map(|comparator| bounded_name(parameter, comparator));
                    let named = [parameter.clone(), identifier_name(parameter)].into_iter().chain(bounded);
                    let pids = named.filter_map(|name| number(self, &name)).collect();
                    Compiled { test: Test::Missing { pids, missing: *missing }, driver: None }
                }
                Clause::Words { parameter, values } => {
                    let words = values.iter().map(|value| fold_string(value)).collect();
                    body(self.reader.names, of, parameter, Asked::Words(words), None)?
                }
                Clause::OfType { parameter, values } => self.of_type(parameter, values, of).await?,
                Clause::Composite { parameter, values } => {
                    let driver = self.composite(parameter, values, of).await?;
                    body(self.reader.names, of, parameter, Asked::Parts(values.clone()), driver)?
                }
                Clause::Chain { parameter, targets } => self.chain(parameter, targets, of).await?,
                Clause::Has { source, parameter, clause } => self.has(*source, parameter, clause).await?,
                Clause::Any(clauses) => {
                    let (mut tests, mut driver) = (Vec::new(), Some(Driver::exact(Vec::new())));
                    for clause in clauses {
                        let one = self.compile(clause, of).await?;
                        tests.push(one.test);
                        driver = both(driver, one.driver);
                    }
                    Compiled { test: Test::Any(tests), driver }
                }
                Clause::All(clauses) => self.each(clauses, of).await?,
                Clause::None(clauses) => {
                    let mut tests = Vec::with_capacity(clauses.len());
                    for clause in clauses {
                        tests.push(self.compile(clause, of).await?.test);
                    }
                    Compiled { test: Test::None(tests), driver: None }
                }
                Clause::Among { parameter, of: among, ids } => {
                    self.among(parameter.as_deref(), *among, ids, of)
                }
            })
        })
    }

    /// A test of ids that are too many to be looked for.
    fn among(&self, parameter: Option<&str>, among: ResourceType, ids: &Ids, of: Of) -> Compiled {
        let names = self.reader.names;
        let test = match parameter {
            None if among == of.resource_type => Test::Among(ids.clone()),
            None => Test::Any(Vec::new()),
            Some(parameter) => match names.parameter_number(of.tid, parameter) {
                Some(pid) => {
                    Test::LeadsAmong { pid, tid: names.type_number(among.as_str()), ids: ids.clone() }
                }
                None => Test::Any(Vec::new()),
            },
        };
        Compiled { test, driver: None }
    }

    /// The clause with the fewest rows finds what the others are then asked of.
    async fn each(&mut self, clauses: &[Clause], of: Of) -> Result<Compiled> {
        let (mut tests, mut least) = (Vec::with_capacity(clauses.len()), None::<(usize, Driver)>);
        for clause in clauses {
            let Compiled { test, driver } = self.compile(clause, of).await?;
            tests.push(test);
            let Some(driver) = driver else { continue };
            let rows = self.reader.count(&driver.ranges, SORTED_MAX).await?;
            if least.as_ref().is_none_or(|(fewest, _)| rows < *fewest) {
                least = Some((rows, Driver { exact: driver.exact && clauses.len() == 1, ..driver }));
            }
        }
        Ok(Compiled { test: Test::All(tests), driver: least.map(|(_, driver)| driver) })
    }

    async fn token(&mut self, pid: Option<i64>, asked: &[TokenValue], not: bool) -> Result<Compiled> {
        let (mut values, mut ranges, mut drives) = (Vec::new(), Vec::new(), !not);
        for value in asked {
            let code = value.code.as_deref().map(fold);
            let system = match &value.system {
                None => None,
                Some(uri) => match self.reader.names.system_number(uri) {
                    Some(number) => Some(number),
                    None => continue,
                },
            };
            values.push((system, code.clone()));
            let Some(code) = code.filter(|_| drives) else {
                drives = false;
                continue;
            };
            let systems: Vec<i64> = match (system, pid) {
                (Some(system), _) => vec![system],
                (None, None) => Vec::new(),
                (None, Some(pid)) => self.reader.systems_of(pid, &code).await?,
            };
            if systems.len() > MERGED_MAX {
                ranges.push(Range::Token { pid, code, sys: None });
            } else {
                let one = |system: i64| Range::Token { pid, code: code.clone(), sys: Some(system) };
                ranges.extend(systems.into_iter().map(one));
            }
        }
        let driver = drives.then(|| Driver::exact(ranges));
        Ok(Compiled { test: Test::Token { pid, values, not }, driver })
    }

    async fn reference(&mut self, pid: Option<i64>, values: &[(Option<String>, String)]) -> Result<Compiled> {
        let mut targets: HashSet<i64> = HashSet::new();
        if pid.is_some() {
            for (resource_type, id) in values {
                let tid = resource_type
                    .as_deref()
                    .map(|name| self.reader.names.type_number(name).unwrap_or(NO_TYPE));
                targets.extend(self.targets_of(id, tid).await?);
            }
        }
        Ok(led(pid, targets))
    }

    /// Numbers of what an id may mean, asked once in a search.
    async fn targets_of(&mut self, id: &str, tid: Option<i64>) -> Result<Vec<i64>> {
        let key = (tid, id.to_owned());
        if let Some(known) = self.targets.get(&key) {
            return Ok(known.clone());
        }
        let found = self.reader.numbers_of(id, tid).await?;
        self.targets.insert(key, found.clone());
        Ok(found)
    }

    fn numbers(&self, parameter: &str, values: &[QuantityValue], of: Of) -> Compiled {
        let names = self.reader.names;
        let bounded = Comparator::ALL.map(|it| (bounded_name(parameter, it), Some(it)));
        let named = std::iter::once((parameter.to_owned(), None)).chain(bounded);
        let pids: Vec<(i64, Option<Comparator>)> = named
            .filter_map(|(name, comparator)| Some((names.parameter_number(of.tid, &name)?, comparator)))
            .collect();
        let quantity = |value: &QuantityValue| {
            let sys = match &value.system {
                None => None,
                // No resource has the system.
                Some(uri) => Some(names.system_number(uri)?),
            };
            Some(Quantity { number: value.number, sys, unit: value.unit.clone() })
        };
        let values: Vec<Quantity> = values.iter().filter_map(quantity).collect();
        let mut ranges = Vec::new();
        for (pid, comparator) in &pids {
            for value in &values {
                let range = |limits| Range::Number {
                    pid: Some(*pid),
                    limits,
                    sys: value.sys,
                    unit: value.unit.clone(),
                };
                ranges.extend(value.number.limits(*comparator).into_iter().map(range));
            }
        }
        Compiled { test: Test::Number { pids, values }, driver: Some(Driver::exact(ranges)) }
    }

    async fn of_type(&mut self, parameter: &str, values: &[TypedValue], of: Of) -> Result<Compiled> {
        let pid = self.reader.names.parameter_number(of.tid, parameter);
        let value = |typed: &TypedValue| TokenValue { system: None, code: Some(typed.value.clone()) };
        let values_alone: Vec<TokenValue> = values.iter().map(value).collect();
        let driver = self.token(pid, &values_alone, false).await?.driver;
        let folded = |typed: &TypedValue| TypedValue {
            system: typed.system.clone(),
            code: fold(&typed.code),
            value: fold(&typed.value),
        };
        body(self.reader.names, of, parameter, Asked::Types(values.iter().map(folded).collect()), driver)
    }

    /// The parts of one component find what may match: each component is a parameter of its own.
    async fn composite(
        &mut self,
        parameter: &str,
        values: &[Vec<crate::PartValue>],
        of: Of,
    ) -> Result<Option<Driver>> {
        let Some(found) = self.reader.names.index.parameter(of.resource_type.as_str(), parameter) else {
            return Ok(None);
        };
        let is_custom = found.custom.is_some();
        let mut least: Option<(usize, Driver)> = None;
        for (at, component) in found.components.iter().enumerate() {
            let parts = values.iter().filter_map(|parts| parts.get(at));
            let name = if is_custom { component_name(parameter, at) } else { component.code.to_owned() };
            let clauses: Vec<Clause> = parts.map(|part| part.clause(&name)).collect();
            let any = Clause::Any(clauses);
            let Some(driver) = self.compile(&any, of).await?.driver else { continue };
            let rows = self.reader.count(&driver.ranges, SORTED_MAX).await?;
            if least.as_ref().is_none_or(|(fewest, _)| rows < *fewest) {
                least = Some((rows, driver));
            }
        }
        Ok(least.map(|(_, driver)| driver))
    }

    async fn chain(
        &mut self,
        parameter: &str,
        targets: &[(ResourceType, Clause)],
        of: Of,
    ) -> Result<Compiled> {
        let nothing = Compiled { test: Test::Any(Vec::new()), driver: Some(Driver::exact(Vec::new())) };
        let Some(pid) = self.reader.names.parameter_number(of.tid, parameter) else { return Ok(nothing) };
        let (mut few, mut tests) = (Some(HashSet::new()), Vec::new());
        for (resource_type, clause) in targets {
            let Some(tid) = self.reader.names.type_number(resource_type.as_str()) else { continue };
            let compiled = self.compile(clause, Of { resource_type: *resource_type, tid }).await?;
            if let Some(numbers) = &mut few {
                match self.few(tid, &compiled).await? {
                    Some(found) => numbers.extend(found.into_iter().map(|candidate| candidate.rid)),
                    None => few = None,
                }
            }
            tests.push((tid, vec![compiled.test]));
        }
        Ok(match few.filter(|numbers| numbers.len() <= SORTED_MAX) {
            Some(numbers) => led(Some(pid), numbers),
            None => Compiled { test: Test::Leads { pid, targets: tests }, driver: None },
        })
    }

    async fn has(&mut self, source: ResourceType, parameter: &str, clause: &Clause) -> Result<Compiled> {
        let nothing = Compiled { test: Test::Any(Vec::new()), driver: Some(Driver::exact(Vec::new())) };
        let Some(tid) = self.reader.names.type_number(source.as_str()) else { return Ok(nothing) };
        let Some(pid) = self.reader.names.parameter_number(tid, parameter) else { return Ok(nothing) };
        let compiled = self.compile(clause, Of { resource_type: source, tid }).await?;
        Ok(match self.few(tid, &compiled).await? {
            Some(found) => {
                let numbers: HashSet<i64> =
                    found.iter().flat_map(|candidate| candidate.targets(pid)).collect();
                let mut listed: Vec<i64> = numbers.iter().copied().collect();
                listed.sort_unstable();
                let ranges = listed.chunks(LISTED_MAX).map(|part| Range::Numbers(part.to_vec())).collect();
                Compiled { test: Test::Numbers(numbers), driver: Some(Driver::exact(ranges)) }
            }
            None => Compiled { test: Test::Led { pid, tests: vec![compiled.test] }, driver: None },
        })
    }
}

/// A test of what references lead to, with its driver.
fn led(pid: Option<i64>, targets: HashSet<i64>) -> Compiled {
    let mut listed: Vec<i64> = targets.iter().copied().collect();
    listed.sort_unstable();
    let ranges = if listed.len() <= MERGED_MAX {
        listed.into_iter().map(|target| Range::Target { pid, target }).collect()
    } else {
        listed.chunks(LISTED_MAX).map(|part| Range::Targets { pid, targets: part.to_vec() }).collect()
    };
    Compiled { test: Test::Reference { pid, targets }, driver: Some(Driver::exact(ranges)) }
}

/// What either of two finds; nothing where one of them cannot be found.
fn both(one: Option<Driver>, other: Option<Driver>) -> Option<Driver> {
    let (mut one, other) = (one?, other?);
    one.ranges.extend(other.ranges);
    one.exact &= other.exact;
    Some(one)
}

fn body(names: &Names, of: Of, parameter: &str, asked: Asked, driver: Option<Driver>) -> Result<Compiled> {
    let found = names.index.parameter(of.resource_type.as_str(), parameter);
    let parameter = found.ok_or(Error::Conflict("a parameter that the type does not have"))?;
    let driver = driver.map(|driver| Driver { exact: false, ..driver });
    Ok(Compiled { test: Test::Body(BodyTest { parameter, asked }), driver })
}

/// Parts for `_lastUpdated`, whose values are instants.
fn updated(value: &DateMatch, tid: i64) -> Vec<Range> {
    let range = |from, until| Range::Updated { tid, from, until };
    let (low, high) = (value.low_us, value.high_us);
    match value.prefix {
        Prefix::Equal | Prefix::Approximate => vec![range(Some(low), Some(high))],
        Prefix::NotEqual => vec![range(None, Some(low)), range(Some(high), None)],
        Prefix::Greater | Prefix::StartsAfter => vec![range(Some(high), None)],
        Prefix::Less | Prefix::EndsBefore => vec![range(None, Some(low))],
        Prefix::GreaterOrEqual => vec![range(Some(low), None)],
        Prefix::LessOrEqual => vec![range(None, Some(high))],
    }
}

/// A date parameter; without a driver for `ap`, whose rows do not lie together.
fn dates(pid: Option<i64>, values: &[DateMatch]) -> Compiled {
    let lies = |value: &DateMatch| {
        let (low, high) = (value.low_us, value.high_us);
        Some(match value.prefix {
            Prefix::Equal => vec![Lie::Inside(low, high)],
            Prefix::NotEqual => vec![Lie::BeginsBefore(low), Lie::EndsAfter(high)],
            Prefix::Greater => vec![Lie::EndsAfter(high)],
            Prefix::Less => vec![Lie::BeginsBefore(low)],
            Prefix::GreaterOrEqual => vec![Lie::InsideOrAfter(low, high)],
            Prefix::LessOrEqual => vec![Lie::InsideOrBefore(low, high)],
            Prefix::StartsAfter => vec![Lie::BeginsFrom(high)],
            Prefix::EndsBefore => vec![Lie::EndsBy(low)],
            Prefix::Approximate => return None,
        })
    };
    let lies: Option<Vec<Vec<Lie>>> = values.iter().map(lies).collect();
    let range = |lie| Range::Date { pid, lie };
    let driver = lies.map(|lies| Driver::exact(lies.into_iter().flatten().map(range).collect()));
    Compiled { test: Test::Date { pid, values: values.to_vec() }, driver }
}

fn texts(pid: Option<i64>, values: &[String], how: TextMatch) -> Compiled {
    let whole = |value: &String| if how == TextMatch::Exact { cut(value) } else { fold_string(value) };
    let asked: Vec<String> = values.iter().map(whole).collect();
    let ranges: Option<Vec<Range>> = match how {
        TextMatch::Start => {
            Some(asked.iter().map(|folded| Range::Start { pid, folded: folded.clone() }).collect())
        }
        TextMatch::Exact => {
            let range = |(value, cut): (&String, &String)| {
                let folded = fold_string(value);
                let text = if folded == *cut { String::new() } else { cut.clone() };
                Range::Whole { pid, folded, text }
            };
            Some(values.iter().zip(&asked).map(range).collect())
        }
        TextMatch::Contains => None,
    };
    Compiled { test: Test::Text { pid, values: asked, how }, driver: ranges.map(Driver::exact) }
}

fn uris(pid: Option<i64>, values: &[String], how: UriMatch) -> Compiled {
    let (mut whole, mut along) = (HashSet::new(), Vec::new());
    for value in values {
        match how {
            UriMatch::Whole => {
                whole.insert(cut(value));
            }
            UriMatch::Below => {
                let uri = cut(value.trim_end_matches('/'));
                whole.insert(uri.clone());
                along.push(uri);
            }
            UriMatch::Above => whole.extend(beginnings(value)),
        }
    }
    let mut ranges: Vec<Range> = whole.iter().map(|uri| Range::Uri { pid, uri: uri.clone() }).collect();
    ranges.extend(along.iter().map(|uri| Range::Along { pid, uri: uri.clone() }));
    Compiled { test: Test::Uri { pid, whole, along }, driver: Some(Driver::exact(ranges)) }
}

/// A uri and the beginnings of its path, each with and without a slash at its end, down to its authority.
fn beginnings(uri: &str) -> Vec<String> {
    let authority = uri.find("://").map_or(0, |at| at + "://".len());
    let mut rest = uri.trim_end_matches('/');
    let mut found = vec![cut(uri)];
    while rest.len() > authority {
        found.extend([cut(rest), cut(&format!("{rest}/"))]);
        match rest.rfind('/').filter(|at| *at >= authority).and_then(|at| rest.get(..at)) {
            Some(shorter) => rest = shorter,
            None => break,
        }
    }
    found
}

impl crate::PartValue {
    /// The clause of a component's own parameter.
    fn clause(&self, code: &str) -> Clause {
        let parameter = code.to_owned();
        match self.clone() {
            Self::Token(value) => Clause::Token { parameter, values: vec![value], not: false },
            Self::Number(values) => Clause::Number { parameter, values },
            Self::Date(value) => Clause::Date { parameter, values: vec![value] },
            Self::Text(value) => Clause::Text { parameter, values: vec![value], how: TextMatch::Start },
            Self::Uri(value) => Clause::Uri { parameter, values: vec![value], how: UriMatch::Whole },
            Self::Reference(of, id) => Clause::Reference { parameter, values: vec![(of, id)] },
        }
    }
}
