//! Write sets that follow one another, merged into one plan.

use std::collections::{BTreeSet, HashMap};

use super::deliveries::DeliveryRows;
use super::entries::fold;
use super::plan::Plan;
use super::prepare::{Defined, PreparedRecord, PreparedVersion};
use super::state::State;
use super::writer::Attempt;
use crate::sql::{Connection, Rows, Value, query, query_with};
use crate::sqlite::code_items::CodeCounts;
use crate::sqlite::codes::message_state_number;
use crate::sqlite::coverage::CoverageCounts;
use crate::sqlite::forward::ForwardRows;
use crate::sqlite::identity::{raise, say};
use crate::{
    Cause, Error, IdentityDecision, Key, MessageRow, MessageState, MissedCode, NewDelivery, NewForward,
    NewPseudonym, NewReview, PATIENT_KEY, PathCount, PatientAlias, PatientIdentifier, Result, WriteSet,
};

const INSERT_MESSAGES: &str =
    "INSERT INTO messages (seq, id, channel, received_us, processed_us, state, message_type,
    sender, reason, issues, package_hash, flags, leaves_mapped, leaves_total, parent, covered)";
const REPLACE_MESSAGE: &str = "ON CONFLICT (seq) DO UPDATE SET processed_us = excluded.processed_us,
    state = excluded.state, message_type = excluded.message_type, sender = excluded.sender, reason = excluded.reason,
    issues = excluded.issues, package_hash = excluded.package_hash, flags = excluded.flags,
    leaves_mapped = excluded.leaves_mapped, leaves_total = excluded.leaves_total, reprocessed = 1,
    covered = CASE WHEN excluded.covered > messages.covered THEN excluded.covered ELSE messages.covered END";

/// A write set ready to be written.
#[derive(Debug)]
pub(in crate::sqlite) struct PreparedSet {
    cause: Cause,
    message: MessageRow,
    versions: Vec<PreparedVersion>,
    keys: Vec<Key>,
    aliases: Vec<PatientAlias>,
    deliveries: Vec<NewDelivery>,
    forwards: Vec<NewForward>,
    pseudonyms: Vec<NewPseudonym>,
    records: Vec<PreparedRecord>,
    identifiers: Vec<PatientIdentifier>,
    reviews: Vec<NewReview>,
    decisions: Vec<IdentityDecision>,
    coverage: Vec<PathCount>,
    missed_codes: Vec<MissedCode>,
}

impl PreparedSet {
    /// Packs a write set.
    pub fn new(set: WriteSet, parameters: &Defined<'_>) -> Result<Self> {
        let seq = match set.cause {
            Cause::Applied(seq) | Cause::Reprocessed(seq) => seq,
        };
        if seq != set.message.seq {
            return Err(Error::Conflict("the cause and the message of a write set differ"));
        }
        if set.forwards.iter().any(|forward| forward.lanes.is_empty() || forward.seq != seq) {
            return Err(Error::Conflict("a forward without a lane, or of another message"));
        }
        let own = set.message.id.0;
        let versions = set.versions.into_iter();
        let records = set.records.iter().map(PreparedRecord::new).map(|mut record| {
            record.message.get_or_insert(own);
            record
        });
        Ok(Self {
            records: records.collect(),
            versions: versions
                .map(|version| PreparedVersion::new(version, parameters))
                .collect::<Result<_>>()?,
            cause: set.cause,
            message: set.message,
            keys: set.keys,
            aliases: set.aliases,
            deliveries: set.deliveries,
            forwards: set.forwards,
            pseudonyms: set.pseudonyms,
            identifiers: set.identifiers,
            reviews: set.reviews,
            decisions: set.decisions,
            coverage: set.coverage,
            missed_codes: set.missed_codes,
        })
    }

    /// The journal position that it applies; `None` for a reprocess.
    pub fn applies(&self) -> Option<i64> {
        match self.cause {
            Cause::Applied(seq) => Some(seq.0),
            Cause::Reprocessed(_) => None,
        }
    }

    /// Rows and bytes of it.
    pub fn weight(&self) -> (usize, usize) {
        let bytes = self.versions.iter().map(|version| version.weight().1).sum::<usize>()
            + self.deliveries.iter().map(|delivery| delivery.sealed.bytes.len()).sum::<usize>();
        let queued = self.deliveries.len() + self.forwards.len();
        (1 + self.versions.len() + queued + self.records.len(), bytes)
    }

    /// Whether it tells what became of its leaves.
    fn is_translated(&self) -> bool {
        !self.coverage.is_empty()
    }

    /// Who has to be derived again when what this message lacks is there: its patient; itself when it is held, for its row
    /// has to follow, or when it has none.
    fn subject(&self) -> String {
        let patient = self.patients().into_iter().next().filter(|_| is_applied(self.message.state));
        patient.map_or_else(|| self.message.id.0.to_string(), str::to_owned)
    }

    /// The patients whose messages this one is among.
    fn patients(&self) -> BTreeSet<&str> {
        let owners = self.versions.iter().filter_map(|version| version.patient.as_deref());
        let themselves = self
            .versions
            .iter()
            .filter(|version| version.resource_type == "Patient")
            .map(|version| version.id.as_str());
        let merged = self.aliases.iter().flat_map(|alias| [alias.alias.as_str(), alias.patient.as_str()]);
        let named = self.keys.iter().filter(|key| key.kind == PATIENT_KEY).map(|key| key.value.as_str());
        owners.chain(themselves).chain(merged).chain(named).collect()
    }
}

/// Writes a run of sets; the outcome of each. A set that cannot follow what is there is left out whole.
pub(super) async fn write(
    sets: &mut [&mut PreparedSet],
    attempt: Attempt,
    state: &mut State,
    connection: &mut Connection,
) -> Result<Vec<Result<()>>> {
    let mut known = known(sets, connection).await?;
    let versions = sets.iter().flat_map(|set| &set.versions);
    let mut plan = Plan::load(versions, &mut state.names, connection).await?;
    let mut tables = Tables::default();
    let (mut coverage, mut codes) = (CoverageCounts::default(), CodeCounts::default());
    let mut outcomes = Vec::with_capacity(sets.len());
    let mut written = Vec::with_capacity(sets.len());
    for set in sets {
        let outcome = admit(set, &known, &plan, state);
        if let (Err(error), Some(seq)) = (&outcome, set.applies())
            && !matches!(error, Error::AlreadyApplied(_))
        {
            state.counters.refuse(seq);
        }
        if outcome.is_ok() {
            take(set, attempt, &mut plan, &mut tables, state)?;
            let seq = set.message.seq.0;
            let is_covered = known.get(&seq).is_some_and(|known| known.is_covered);
            if set.is_translated() && !is_covered {
                coverage.count(&set.message, &set.coverage);
                set.missed_codes.iter().for_each(|code| codes.count(&set.message, code, set.subject()));
            }
            let id = set.message.id.0.as_bytes().to_vec();
            known.insert(seq, Known { id, is_covered: is_covered || set.is_translated() });
            written.push(&**set);
        }
        outcomes.push(outcome);
    }
    plan.write(&mut state.counters, connection).await?;
    tables.write(connection).await?;
    aliases(&written, connection).await?;
    for review in written.iter().flat_map(|set| &set.reviews) {
        raise(review, connection).await?;
    }
    for set in &written {
        for decision in &set.decisions {
            say(decision, &set.message.id, set.message.processed_us, connection).await?;
        }
    }
    resolve(&written, connection).await?;
    coverage.write(connection).await?;
    codes.write(connection).await?;
    let records = written.iter().flat_map(|set| set.records.iter().cloned());
    state.write_records(records, connection).await?;
    Ok(outcomes)
}

/// Notes at what was edited that it is resolved, when the message made of it was applied. An edit of an edit resolves
/// both. The first message to do so stays.
async fn resolve(written: &[&PreparedSet], connection: &mut Connection) -> Result<()> {
    for set in written.iter().filter(|set| is_applied(set.message.state)) {
        let Some(parent) = set.message.parent else { continue };
        query(
            "UPDATE messages SET resolved_by = ?1 WHERE resolved_by IS NULL AND id <> ?1 AND id IN (
                WITH RECURSIVE origins (id) AS (VALUES (?2) UNION
                    SELECT m.parent FROM messages m JOIN origins o ON m.id = o.id WHERE m.parent IS NOT NULL)
                SELECT id FROM origins)",
        )
        .bind(set.message.id.0.as_bytes().to_vec())
        .bind(parent.0.as_bytes().to_vec())
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Whether a message in this state has had its effect.
fn is_applied(state: MessageState) -> bool {
    match state {
        MessageState::Stored | MessageState::Routed | MessageState::Filtered => true,
        MessageState::Received
        | MessageState::Translated
        | MessageState::Quarantined
        | MessageState::Error => false,
    }
}

/// A message that exists.
struct Known {
    id: Vec<u8>,
    /// Its leaves and codes are counted.
    is_covered: bool,
}

/// The reprocessed messages that exist, by their seq.
async fn known(sets: &[&mut PreparedSet], connection: &mut Connection) -> Result<HashMap<i64, Known>> {
    let mut asked = Rows::statement("SELECT seq, id, covered FROM messages WHERE seq IN (", ")", 1);
    let seqs = sets.iter().filter_map(|set| match set.cause {
        Cause::Reprocessed(seq) => Some(seq.0),
        Cause::Applied(_) => None,
    });
    seqs.for_each(|seq| asked.push([seq.into()]));
    let mut found = HashMap::new();
    for row in asked.fetch(connection).await? {
        found.insert(row.try_get(0)?, Known { id: row.try_get(1)?, is_covered: row.try_get(2)? });
    }
    Ok(found)
}

fn admit(set: &PreparedSet, known: &HashMap<i64, Known>, plan: &Plan, state: &mut State) -> Result<()> {
    match set.cause {
        Cause::Applied(seq) if seq.0 <= state.counters.applied => return Err(Error::AlreadyApplied(seq.0)),
        Cause::Applied(seq) if state.counters.refused.is_some_and(|refused| refused < seq.0) => {
            return Err(Error::Conflict("an entry before it was refused"));
        }
        Cause::Applied(_) => {}
        Cause::Reprocessed(seq) => match known.get(&seq.0) {
            None => return Err(Error::NotFound),
            Some(known) if known.id.as_slice() != set.message.id.0.as_bytes() => {
                return Err(Error::Conflict("a message of another id"));
            }
            Some(_) => {}
        },
    }
    plan.check(&mut state.names, &set.versions)
}

fn take(
    set: &mut PreparedSet,
    attempt: Attempt,
    plan: &mut Plan,
    tables: &mut Tables,
    state: &mut State,
) -> Result<()> {
    let seq = set.message.seq.0;
    if let Cause::Applied(seq) = set.cause {
        state.counters.apply(seq.0);
    }
    tables.message(set);
    for version in &mut set.versions {
        let number = version.version;
        let body = match attempt {
            Attempt::Together => version.body.clone(),
            Attempt::Apart => std::mem::take(&mut version.body),
        };
        let rid = plan.put(version, body, number, 0, &mut state.names, &mut state.counters)?;
        tables.message_resources.push([seq.into(), rid.into(), number.into()]);
    }
    for key in &set.keys {
        let system = key.system.clone().unwrap_or_default();
        tables.keys.push([fold(&key.value).into(), seq.into(), key.kind.into(), system.into()]);
    }
    for patient in set.patients() {
        tables.patients.push([patient.into(), seq.into()]);
    }
    for identifier in &set.identifiers {
        tables.identifier(identifier);
    }
    for delivery in &set.deliveries {
        tables.deliveries.delivery(delivery, seq, set.message.processed_us, &mut state.counters);
    }
    for forward in &set.forwards {
        tables.forwards.forward(forward, set.message.processed_us, &mut state.counters);
    }
    set.pseudonyms.iter().for_each(|pseudonym| tables.deliveries.pseudonym(pseudonym));
    Ok(())
}

/// The rows of a run that do not belong to a resource.
struct Tables {
    applied: Rows,
    reprocessed: Rows,
    message_resources: Rows,
    keys: Rows,
    patients: Rows,
    deliveries: DeliveryRows,
    forwards: ForwardRows,
    identifiers: Rows,
}

impl Default for Tables {
    fn default() -> Self {
        let ignore = "ON CONFLICT DO NOTHING";
        Self {
            applied: Rows::put(INSERT_MESSAGES, 16),
            reprocessed: Rows::statement(INSERT_MESSAGES, REPLACE_MESSAGE, 16),
            message_resources: Rows::put("INSERT INTO message_resources (seq, rid, version)", 3),
            keys: Rows::statement("INSERT INTO message_keys (value, seq, kind, system)", ignore, 4),
            patients: Rows::statement("INSERT INTO message_patients (patient, seq)", ignore, 2),
            deliveries: DeliveryRows::default(),
            forwards: ForwardRows::default(),
            identifiers: Rows::statement(
                "INSERT INTO patient_identifiers (system, value, patient)",
                "ON CONFLICT (system, value) DO UPDATE SET patient = excluded.patient",
                3,
            ),
        }
    }
}

impl Tables {
    fn message(&mut self, set: &PreparedSet) {
        let rows = match set.cause {
            Cause::Applied(_) => &mut self.applied,
            Cause::Reprocessed(_) => &mut self.reprocessed,
        };
        let message = &set.message;
        rows.push([
            message.seq.0.into(),
            message.id.0.as_bytes().to_vec().into(),
            message.channel.as_str().into(),
            message.received_us.into(),
            message.processed_us.into(),
            message_state_number(message.state).into(),
            message.message_type.as_str().into(),
            message.sender.as_str().into(),
            message.reason.as_deref().into(),
            message.issues.as_str().into(),
            message.package_hash.as_str().into(),
            message.flags.into(),
            message.leaves_mapped.into(),
            message.leaves_total.into(),
            message.parent.map(|parent| parent.0.as_bytes().to_vec()).into(),
            set.is_translated().into(),
        ]);
    }

    fn identifier(&mut self, identifier: &PatientIdentifier) {
        let PatientIdentifier { system, value, patient } = identifier;
        self.identifiers.push([system.as_str().into(), value.as_str().into(), patient.as_str().into()]);
    }

    async fn write(self, connection: &mut Connection) -> Result<()> {
        let Self { applied, reprocessed, message_resources, keys, patients, .. } = self;
        let Self { deliveries, forwards, identifiers, .. } = self;
        for rows in [applied, reprocessed, message_resources, keys, patients, identifiers] {
            rows.execute(connection).await?;
        }
        deliveries.write(connection).await?;
        forwards.write(connection).await
    }
}

/// Aliases are rare and their order matters, so each is a statement.
async fn aliases(sets: &[&PreparedSet], connection: &mut Connection) -> Result<()> {
    for PatientAlias { alias, patient } in sets.iter().flat_map(|set| &set.aliases) {
        let (sql, values) = if alias == patient {
            ("DELETE FROM patient_aliases WHERE alias = ?", vec![Value::from(alias)])
        } else {
            let replace = "INSERT INTO patient_aliases (alias, patient) VALUES (?, ?)
                ON CONFLICT (alias) DO UPDATE SET patient = excluded.patient";
            (replace, vec![alias.into(), patient.into()])
        };
        query_with(sql, values).execute(&mut *connection).await?;
    }
    Ok(())
}
