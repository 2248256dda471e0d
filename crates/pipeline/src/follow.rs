//! The loop: follow the journal, translate in parallel, apply in order, commit in groups.

use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use mapping::{Change, Package, Translation};
use store::{Cause, Entry, MessageState, Seq, WriteSet};
use tokio::sync::{mpsc, watch};

use crate::continuation::NO_PREDECESSOR;
use crate::derive::{self, Write};
use crate::desk::Asked;
use crate::forward::{self, Addressed};
use crate::identity::{self, Conflict, Identified};
use crate::packages::Packages;
use crate::release::{Outcome, Release};
use crate::row::{self, Heading};
use crate::state::State;
use crate::stuck::Stuck;
use crate::translate::{Translated, translate};
use crate::worklist::{self, Worklist};
use crate::{Environment, Error, Ports, apart, events};

/// Journal entries translated and applied between two looks at reprocess requests.
pub const BATCH_ENTRIES_MAX: usize = 256;
/// Entries one translation thread takes at a time.
const CHUNK_ENTRIES: usize = 32;
/// Messages whose state is read at once.
const FORESEEN_MAX: usize = 64;
/// Least time from the start of a batch to the start of the next. What comes meanwhile is one transaction with it: each
/// fsync of ours keeps the disk from the journal's, for which a sender waits. A batch of many takes longer by itself.
const BATCH_INTERVAL: Duration = Duration::from_millis(8);
/// Pause before the pipeline starts again after the store failed.
const RESTART_PAUSE: Duration = Duration::from_millis(500);

/// The reason of a message that waits for a person's word about who is who.
pub(crate) const IDENTITY_CONFLICT: &str = "identity-conflict";

/// The reason of a message whose patients are more than are derived again together.
pub(crate) const TOO_MANY_PATIENTS: &str = "too-many-patients";

/// The reason of a message whose patients cannot be derived again: bytes of their messages were dropped by retention.
pub(crate) const JOURNAL_INCOMPLETE: &str = "journal-incomplete";

/// How the reason of a message begins whose release was refused.
pub const RELEASE_REFUSED: &str = "release:";

/// A commit that was handed to the store and is not durable yet.
type Commit = Pin<Box<dyn Future<Output = store::Result<()>> + Send>>;

/// The pipeline of one node; there is one, since applying is serial.
pub struct Pipeline {
    pub(crate) ports: Ports,
    pub(crate) environment: Environment,
    /// Where the package in force is found.
    pub(crate) packages: Packages,
    /// The package of the batch at hand.
    pub(crate) package: Arc<Package>,
    pub(crate) release: Release,
    pub(crate) state: State,
    pub(crate) worklist: Worklist,
    /// What it works out is not written, so nothing is said of it.
    pub(crate) is_rehearsal: bool,
    /// Where clients ask for changes.
    pub(crate) desk: Option<mpsc::Receiver<Asked>>,
    /// What they asked for and is not taken up yet.
    pub(crate) asked: VecDeque<Asked>,
}

impl Pipeline {
    /// A pipeline that has not started; see [`Pipeline::run`].
    /// `packages`: a package, or the handle on the one in force, which is asked again for each batch.
    pub fn new(
        ports: Ports,
        environment: Environment,
        packages: impl Into<Packages>,
        release: Release,
    ) -> Self {
        let (state, packages) = (State::new(environment.namespace), packages.into());
        let (package, worklist) = (packages.current(), Worklist::default());
        let (desk, asked) = (None, VecDeque::new());
        let is_rehearsal = false;
        Self { ports, environment, packages, package, release, state, worklist, is_rehearsal, desk, asked }
    }

    /// Runs until `stop` turns true. A failing store is retried from what is durable, for ever, and says so; a message
    /// at which everything fails again and again is set aside, into quarantine.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut stuck = Stuck::default();
        while !*stop.borrow() {
            if let Err(error) = self.follow(&mut stop).await {
                let applied = self.ports.apply.applied_through().await.ok();
                events::restarted(&error, applied);
                self.forget();
                if let Some(applied) = applied.filter(|_| stuck.failed(applied, &error)) {
                    self.set_aside(applied)
                        .await
                        .unwrap_or_else(|error| events::restarted(&error, Some(applied)));
                }
                tokio::time::sleep(RESTART_PAUSE).await;
            }
        }
    }

    /// Applies what is in the journal and every open reprocess request, then returns. For commands and tests.
    pub async fn catch_up(&mut self) -> Result<(), Error> {
        let mut cursor = self.ports.apply.applied_through().await?;
        while self.step(&mut cursor).await? {}
        Ok(())
    }

    async fn follow(&mut self, stop: &mut watch::Receiver<bool>) -> Result<(), Error> {
        let mut appended = self.ports.journal.appended();
        let mut cursor = self.ports.apply.applied_through().await?;
        while !*stop.borrow() {
            appended.borrow_and_update();
            let pause = tokio::time::sleep(BATCH_INTERVAL);
            if self.step(&mut cursor).await? {
                pause.await;
            } else {
                tokio::select! {
                    _ = appended.changed() => {}
                    _ = stop.changed() => {}
                    () = self.asked() => {}
                    // Reprocess requests have no bell of their own; a second is soon enough for a person.
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                }
            }
        }
        Ok(())
    }

    /// One batch; `false` when there was nothing to do.
    async fn step(&mut self, cursor: &mut Seq) -> Result<bool, Error> {
        if self.state.is_full() {
            self.state.clear();
        }
        let package = self.packages.current();
        if !Arc::ptr_eq(&package, &self.package) {
            self.package = package;
            self.worklist.package_changed();
        }
        self.tell_alerts().await?;
        let reprocessed = self.client_writes().await?
            | self.reprocess_requests().await?
            | self.consent_requests().await?
            | self.sweep().await?
            | self.redrive().await?;
        let entries = self.ports.journal.after(*cursor, BATCH_ENTRIES_MAX).await?;
        let Some(last) = entries.last().map(|entry| entry.seq) else { return Ok(reprocessed) };
        let entries = Arc::new(entries);
        let translated = self.translate_all(&entries).await?;
        self.apply_all(Arc::unwrap_or_clone(entries), translated).await?;
        *cursor = last;
        self.release.trim();
        Ok(true)
    }

    async fn translate_all(&self, entries: &Arc<Vec<Entry>>) -> Result<Vec<Translated>, Error> {
        let mut chunks = Vec::new();
        for start in (0..entries.len()).step_by(CHUNK_ENTRIES) {
            let (entries, package) = (Arc::clone(entries), Arc::clone(&self.package));
            let namespace = self.environment.namespace;
            chunks.push(tokio::task::spawn_blocking(move || {
                let end = entries.len().min(start + CHUNK_ENTRIES);
                let chunk = entries.get(start..end).unwrap_or_default();
                chunk.iter().map(|entry| translate_safely(&package, namespace, entry)).collect::<Vec<_>>()
            }));
        }
        let mut all = Vec::with_capacity(entries.len());
        for chunk in chunks {
            all.extend(chunk.await.map_err(|_| Error::Translation)?);
        }
        Ok(all)
    }

    /// Applies in journal order; commits overlap, and the first failure is returned after all have ended.
    async fn apply_all(&mut self, entries: Vec<Entry>, translated: Vec<Translated>) -> Result<(), Error> {
        let mut commits: Vec<Commit> = Vec::new();
        let mut waiting = VecDeque::from(translated);
        let mut foreseen: usize = 0;
        for mut entry in entries {
            if foreseen == 0 {
                foreseen = waiting.len().min(FORESEEN_MAX);
                self.prefetch(waiting.make_contiguous().get(..foreseen).unwrap_or_default()).await?;
            }
            foreseen = foreseen.saturating_sub(1);
            let Some(mut translated) = waiting.pop_front() else { break };
            if matches!(translated, Translated::Part { .. }) {
                // It looks for the parts before it, which are found once they are durable.
                settle(&mut commits).await?;
                translated = self.whole(&entry, translated).await?;
            }
            let addressed = Addressed::of(self.release.policy(), &entry);
            // All that is asked of the bytes is known; a large message is not kept beside what is made of it.
            drop(std::mem::take(&mut entry.bytes));
            if joins_or_parts(&translated) {
                // It reads the store's compartments, so nothing may be on its way there.
                settle(&mut commits).await?;
                self.state.clear();
                foreseen = 0;
            }
            let mut set = self.write_set(&entry, translated).await?;
            forward::route(self.release.policy(), &self.environment, &entry, addressed, &mut set)?;
            let is_derived_again = !set.decisions.is_empty();
            // A large document stands in the write set; it is not held twice, but read again once it is durable.
            let is_full = self.state.is_full();
            if is_full {
                self.state.clear();
            }
            let apply = Arc::clone(&self.ports.apply);
            let mut commit: Commit = Box::pin(async move { apply.commit(set).await });
            // The first poll hands the set to the writer, so sets stand in its queue in journal order.
            match futures_poll_once(&mut commit).await {
                Some(done) => done?,
                None => commits.push(commit),
            }
            if is_derived_again || is_full {
                settle(&mut commits).await?;
                self.forget();
                foreseen = 0;
            }
        }
        settle(&mut commits).await
    }

    pub(crate) async fn write_set(
        &mut self,
        entry: &Entry,
        translated: Translated,
    ) -> Result<WriteSet, Error> {
        let package = Arc::clone(&self.package);
        let heading =
            |message_type, sender| Heading { entry, message_type, sender, package_hash: package.hash() };
        match translated {
            Translated::Quarantined { reason, message_type, sender, keys } => {
                let mut set = self.quarantine(&heading(message_type, sender), reason, None);
                set.keys = keys;
                Ok(set)
            }
            Translated::Waiting { message_type, sender, keys } => {
                Ok(self.waiting(&heading(message_type, sender), Cause::Applied(entry.seq), keys))
            }
            // Whoever translates looks for the other parts first; a part alone is never applied.
            Translated::Part { message_type, sender, keys, .. } => {
                let mut set =
                    self.quarantine(&heading(message_type, sender), NO_PREDECESSOR.to_owned(), None);
                set.keys = keys;
                Ok(set)
            }
            Translated::Message { mut translation, known, message_type, sender } => {
                let heading = heading(message_type, sender);
                self.state.load_identity(&self.ports, &translation.change).await?;
                let identified = match identity::identify(&self.state, &mut translation.change) {
                    Ok(identified) => identified,
                    Err(conflict) => return self.conflict(&heading, &translation, &conflict),
                };
                if !identified.decisions.is_empty() {
                    return self.derived_again(&heading, translation, known, identified.decisions).await;
                }
                let writes = self.derive(&mut translation.change, &identified).await?;
                // What is written stands in the writes; a large document is not held twice.
                translation.change.sets.iter_mut().for_each(|set| set.resource = serde_json::Value::Null);
                if let Some(reason) = invalid(&package, &mut translation, &writes) {
                    return Ok(self.held(&heading, reason, &translation));
                }
                let cause = Cause::Applied(entry.seq);
                self.applied(&heading, cause, &translation, known, writes, identified).await
            }
        }
    }

    /// What an identified change writes.
    async fn derive(&mut self, change: &mut Change, identified: &Identified) -> Result<Vec<Write>, Error> {
        derive::load(&mut self.state, &self.ports, change, &identified.links).await?;
        self.follow_records(change).await?;
        let owners = apart::other_owners(&self.state, change);
        if !owners.is_empty() {
            self.state.load_decisions(&self.ports, &owners).await?;
            apart::keep_apart(&self.state, change);
            derive::load(&mut self.state, &self.ports, change, &[]).await?;
        }
        Ok(derive::derive(&self.state, change, &identified.links))
    }

    /// A message that says of two patients that they are one, or of one number that it is two persons': a question.
    pub(crate) fn conflict(
        &self,
        heading: &Heading<'_>,
        translation: &Translation,
        conflict: &Conflict,
    ) -> Result<WriteSet, Error> {
        let mut set = self.held(heading, IDENTITY_CONFLICT.to_owned(), translation);
        let review = row::review(&self.environment, heading, conflict);
        set.records.push(row::review_record(&self.environment, heading, &review)?);
        set.reviews.push(review);
        Ok(set)
    }

    /// The write set of valid writes: released, recorded, and noted as current.
    pub(crate) async fn applied(
        &mut self,
        heading: &Heading<'_>,
        cause: Cause,
        translation: &Translation,
        mut known: verifier::KnownIdentifiers,
        writes: Vec<Write>,
        identified: Identified,
    ) -> Result<WriteSet, Error> {
        // The merged resources carry identifiers that earlier messages brought.
        writes.iter().filter_map(|write| write.body.as_ref()).for_each(|body| known.add_resource(body));
        let outcome = self
            .release
            .release(&self.ports, &self.environment, &mut self.state, &writes, &mut known)
            .await?;
        let now_us = (self.environment.now_us)();
        let mut records = row::applied_records(
            &self.environment,
            heading,
            cause,
            &writes,
            &outcome,
            self.release.policy_hash(),
        )?;
        records.extend(row::identity_records(&self.environment, heading, &identified));
        records.extend(row::withdrawn_records(
            &self.environment,
            Some(heading.entry.id.0),
            &outcome.deliveries,
        )?);
        let (state, reason) = state_of(&outcome);
        if let Some(reason) = &reason {
            self.say_quarantined(heading, reason);
        }
        identity::note(&mut self.state, &identified);
        let mut message = row::message_row(heading, state, reason, Some(translation), now_us);
        if identified.is_known_here_only {
            message.flags |= row::FLAG_KNOWN_HERE_ONLY;
        }
        if identified.is_said_otherwise {
            message.flags |= row::FLAG_SAID_OTHERWISE;
        }
        let versions = writes
            .iter()
            .filter(|write| !write.is_stored)
            .map(|write| row::resource_version(write, heading.package_hash, now_us))
            .collect();
        derive::keep(&mut self.state, writes);
        Ok(WriteSet {
            cause,
            message,
            versions,
            keys: row::keys(translation),
            aliases: identified.aliases,
            deliveries: outcome.deliveries,
            forwards: Vec::new(),
            pseudonyms: outcome.pseudonyms,
            records,
            identifiers: identified.identifiers,
            reviews: Vec::new(),
            coverage: worklist::coverage(translation),
            missed_codes: worklist::missed_codes(translation),
            decisions: Vec::new(),
        })
    }

    /// Sets a message aside that could be translated; it counts among those of its patients.
    pub(crate) fn held(&self, heading: &Heading<'_>, reason: String, translation: &Translation) -> WriteSet {
        let mut set = self.quarantine(heading, reason, Some(translation));
        set.keys = row::keys(translation);
        set.coverage = worklist::coverage(translation);
        set.missed_codes = worklist::missed_codes(translation);
        set
    }

    fn quarantine(
        &self,
        heading: &Heading<'_>,
        reason: String,
        translation: Option<&Translation>,
    ) -> WriteSet {
        self.say_quarantined(heading, &reason);
        let now_us = (self.environment.now_us)();
        let state = MessageState::Quarantined;
        let message = row::message_row(heading, state, Some(reason), translation, now_us);
        let records = vec![row::quarantined_record(&self.environment, heading)];
        WriteSet::of(Cause::Applied(heading.entry.seq), message, records)
    }

    fn say_quarantined(&self, heading: &Heading<'_>, reason: &str) {
        if !self.is_rehearsal {
            events::quarantined(heading.entry.id, reason);
        }
    }

    /// Quarantines the message after `applied` without applying it; its bytes stay, and it can be reprocessed.
    async fn set_aside(&self, applied: Seq) -> Result<(), Error> {
        let Some(entry) = self.ports.journal.after(applied, 1).await?.into_iter().next() else {
            return Ok(());
        };
        let package = Arc::clone(&self.package);
        let (message_type, sender) = (String::new(), String::new());
        let heading = Heading { entry: &entry, message_type, sender, package_hash: package.hash() };
        let mut set = self.quarantine(&heading, "cannot-be-applied".to_owned(), None);
        let addressed = Addressed::of(self.release.policy(), &entry);
        forward::route(self.release.policy(), &self.environment, &entry, addressed, &mut set)?;
        Ok(self.ports.apply.commit(set).await?)
    }

    /// Drops all that is not known to be durable.
    pub(crate) fn forget(&mut self) {
        self.state.clear();
        self.release.clear();
    }
}

/// Stored, and routed when something was decided to leave; quarantined when a release was refused.
fn state_of(outcome: &Outcome) -> (MessageState, Option<String>) {
    match &outcome.refused {
        Some(reason) => (MessageState::Quarantined, Some(format!("{RELEASE_REFUSED}{reason}"))),
        None if outcome.deliveries.is_empty() => (MessageState::Stored, None),
        None => (MessageState::Routed, None),
    }
}

/// Does it say of two patients that they are one, or two, or of their records that they are others?
fn joins_or_parts(translated: &Translated) -> bool {
    let Translated::Message { translation, .. } = translated else { return false };
    let change = &translation.change;
    !change.merges.is_empty() || !change.links.is_empty() || !change.moves.is_empty()
}

/// A panic in parser or mapping is a defect of ours; it costs one message its translation, never the pipeline.
pub(crate) fn translate_safely(package: &Package, namespace: uuid::Uuid, entry: &Entry) -> Translated {
    catch_unwind(AssertUnwindSafe(|| translate(package, namespace, entry))).unwrap_or_else(|_| {
        let reason = "translator-panic".to_owned();
        Translated::Quarantined {
            reason,
            message_type: String::new(),
            sender: String::new(),
            keys: Vec::new(),
        }
    })
}

/// Checks what is written, as it would stand, and adds what is wrong to the issues of the message. The reason when it
/// may not be stored: issue code and element, no value.
pub(crate) fn invalid(package: &Package, translation: &mut Translation, writes: &[Write]) -> Option<String> {
    let bodies = writes.iter().filter_map(|write| write.body.as_deref());
    let mapping::Validated { issues, refused } = package.validate(translation.site.as_deref(), bodies);
    translation.issues.extend(issues);
    refused
}

async fn settle(commits: &mut Vec<Commit>) -> Result<(), Error> {
    let mut first = Ok(());
    for commit in commits.drain(..) {
        let done = commit.await;
        if first.is_ok() {
            first = done;
        }
    }
    Ok(first?)
}

/// Polls once; `None` when it is not ready yet.
async fn futures_poll_once(commit: &mut Commit) -> Option<store::Result<()>> {
    std::future::poll_fn(|context| match commit.as_mut().poll(context) {
        std::task::Poll::Ready(done) => std::task::Poll::Ready(Some(done)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}
