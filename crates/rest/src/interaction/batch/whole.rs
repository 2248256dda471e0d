//! A transaction: all entries or none. Deletions come first, then creates, then updates and patches, then reads.

use std::collections::HashSet;
use std::sync::Arc;

use fhir::IssueCode;
use serde_json::Value;
use store::{Act, ClientOutcome, ClientRefusal, Guard, ResourceKey, Stored, WriteMethod};

use super::entry::{Asked, Change};
use super::get::{get, refused as refused_entry};
use super::links::Links;
use crate::audit::Access;
use crate::capacity::ATTEMPTS_MAX;
use crate::interaction::write::{
    Address, Caller, Content, Done, Failing, Prefer, Resolved, Wanted, contended, new_id, only_match, own_id,
    refused, with_id,
};
use crate::outcome::Failure;
use crate::server::Server;

/// What the changes of a transaction come to.
#[derive(Default)]
struct Plan {
    /// Guards, what it means when they fail, and whose they are.
    guards: Vec<(Guard, Failing, usize)>,
    /// Acts in the order in which they are done, with the position of their entry.
    acts: Vec<(usize, ResourceKey, Act)>,
    /// What stood before, with the position of its entry.
    found: Vec<(usize, Option<Stored>)>,
}

/// Does the entries; the answer has one for each.
///
/// # Errors
/// What is wrong with the first entry that cannot be done, which it names; nothing is done then.
pub(super) async fn run(
    caller: Caller<'_>,
    server: &Arc<Server>,
    entries: Vec<Result<Asked, Failure>>,
    prefer: Prefer,
) -> Result<Vec<Value>, Failure> {
    let entries = entries.into_iter().collect::<Result<Vec<Asked>, Failure>>()?;
    let mut answered = changes(caller, &entries, prefer).await?;
    for (asked, answer) in entries.iter().zip(&mut answered) {
        if let Asked::Get(asked) = asked {
            let got = get(server, caller.client, caller.request, asked).await;
            *answer = got.unwrap_or_else(|failure| refused_entry(&failure));
        }
    }
    Ok(answered)
}

/// Answers to the changes, at the positions of their entries.
async fn changes(caller: Caller<'_>, entries: &[Asked], prefer: Prefer) -> Result<Vec<Value>, Failure> {
    let mut answered = vec![Value::Null; entries.len()];
    for _ in 0..ATTEMPTS_MAX {
        let Some(plan) = Plan::of(caller, entries).await? else { continue };
        let Plan { guards, acts, found } = plan;
        let asked: Vec<Guard> = guards.iter().map(|(guard, ..)| guard.clone()).collect();
        let written = if acts.is_empty() {
            Vec::new()
        } else {
            match caller.submit(asked, acts.iter().map(|(.., act)| act.clone()).collect()).await? {
                ClientOutcome::Written(written) => written,
                ClientOutcome::Refused(ClientRefusal::Guard(position)) => match guards.get(position) {
                    Some((_, Failing::Precondition(text), index)) => {
                        return Err(Failure::precondition(*text).within(&place(*index)));
                    }
                    _ => continue,
                },
                ClientOutcome::Refused(refusal) => {
                    let (position, failure) = refused(refusal);
                    let index = acts.get(position).map_or(0, |(index, ..)| *index);
                    return Err(failure.within(&place(index)));
                }
            }
        };
        for ((index, key, act), written) in acts.into_iter().zip(written) {
            tokio::task::consume_budget().await;
            let reply = Done::written(key, act.method, written).reply();
            put(&mut answered, index, reply.entry(caller.server, prefer)?);
        }
        record_found(caller, &found).await?;
        for (index, stored) in found {
            let reply = Done::unwritten(stored).reply();
            put(&mut answered, index, reply.entry(caller.server, prefer)?);
        }
        return Ok(answered);
    }
    Err(contended())
}

fn put(answered: &mut [Value], index: usize, entry: Value) {
    if let Some(answer) = answered.get_mut(index) {
        *answer = entry;
    }
}

fn place(index: usize) -> String {
    format!("Bundle.entry[{index}]")
}

/// What is shown because it stood before is a read.
async fn record_found(caller: Caller<'_>, found: &[(usize, Option<Stored>)]) -> Result<(), Failure> {
    for stored in found.iter().filter_map(|(_, stored)| stored.as_ref()) {
        let resource_type = stored.key.resource_type;
        let access = Access { client: caller.client, request: caller.request, resource_type };
        access.read(caller.server, "ok", Some(stored)).await?;
    }
    Ok(())
}

impl Plan {
    /// `None`: something was written meanwhile, look again. Thousands of entries let other requests have their turn in between.
    async fn of(caller: Caller<'_>, entries: &[Asked]) -> Result<Option<Self>, Failure> {
        let mut changes: Vec<(usize, &Change, Wanted, ResourceKey)> = Vec::new();
        let mut links = Links::default();
        distinct_creates(entries)?;
        for (index, asked) in entries.iter().enumerate() {
            tokio::task::consume_budget().await;
            let Asked::Change(asked) = asked else { continue };
            let (wanted, key) =
                meant(caller, &asked.wanted).await.map_err(|failure| failure.within(&place(index)))?;
            if let Some(full_url) = &asked.full_url {
                links.entry(full_url, &key);
            }
            changes.push((index, asked, wanted, key));
        }
        let among: HashSet<ResourceKey> = changes.iter().map(|(.., key)| key.clone()).collect();
        let mut plan = Self::default();
        for (index, asked, wanted, key) in changes {
            tokio::task::consume_budget().await;
            let within = |failure: Failure| failure.within(&place(index));
            let mut guards = Vec::new();
            let mut wanted = wanted;
            if let Content::Resource(resource) = &mut wanted.content {
                links.find(caller, resource.expose(), &mut guards).await.map_err(within)?;
                links.rewrite(resource, asked.full_url.as_deref());
            }
            let resolved = wanted.resolve(caller.sight(), &among).await.map_err(within)?;
            let Resolved { key: now, act, guards: own, found } = resolved;
            guards.extend(own);
            plan.guards.extend(guards.into_iter().map(|(guard, failing)| (guard, failing, index)));
            if now.as_ref().is_some_and(|now| *now != key) {
                return Ok(None);
            }
            match act {
                Some(act) => plan.acts.push((index, key, act)),
                None => plan.found.push((index, found)),
            }
        }
        plan.acts.sort_by_key(|(.., act)| match act.method {
            WriteMethod::Delete => 0,
            WriteMethod::Post => 1,
            _ => 2,
        });
        plan.distinct()?;
        Ok(Some(plan))
    }

    /// A resource is changed once (R4, http §3.1.0.11.2).
    fn distinct(&self) -> Result<(), Failure> {
        let mut seen = HashSet::new();
        match self.acts.iter().find(|(_, key, _)| !seen.insert(key)) {
            None => Ok(()),
            Some((index, ..)) => Err(twice("the resource is changed by another entry too", *index)),
        }
    }
}

fn twice(text: &'static str, index: usize) -> Failure {
    Failure::bad_request(IssueCode::Duplicate, text).within(&place(index))
}

/// Two creates under the same condition would both find nothing there.
fn distinct_creates(entries: &[Asked]) -> Result<(), Failure> {
    let mut seen = HashSet::new();
    for (index, asked) in entries.iter().enumerate() {
        let Asked::Change(asked) = asked else { continue };
        if let Some(unless) = &asked.unless
            && !seen.insert((asked.wanted.of, unless))
        {
            return Err(twice("another entry has the same ifNoneExist", index));
        }
    }
    Ok(())
}

/// Which resource a change is about, and the change with that id where the server chooses one.
async fn meant(caller: Caller<'_>, wanted: &Wanted) -> Result<(Wanted, ResourceKey), Failure> {
    let key = |id: &str| ResourceKey { resource_type: wanted.of, id: id.to_owned() };
    match &wanted.to {
        Address::New(id) | Address::Id(id) => Ok((wanted.clone(), key(id))),
        Address::Unless(id, search) => {
            let found = only_match(caller.sight(), search).await?;
            Ok((wanted.clone(), found.map_or_else(|| key(id), |found| found.key)))
        }
        Address::Match(search) => match (only_match(caller.sight(), search).await?, &wanted.content) {
            (Some(found), _) => Ok((wanted.clone(), found.key)),
            (None, Content::Resource(resource)) => {
                let id = own_id(resource.expose())?.map_or_else(new_id, str::to_owned);
                let content = Content::Resource(with_id(resource.clone(), &id));
                Ok((Wanted { content, ..wanted.clone() }, key(&id)))
            }
            // Nothing is deleted, or there is nothing to patch, which its resolution tells.
            (None, _) => Ok((wanted.clone(), key(""))),
        },
    }
}
