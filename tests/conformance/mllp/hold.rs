//! Runs the rows of a group and says which do not hold.

use std::net::SocketAddr;

use harness::stored;
use hl7v2::acknowledgment::Acknowledgment;
use store::{Entry, MessageRow, MessageState};

use super::row::{Answer, Group, Kept, Message, Read, Row, Then};
use super::site::{Site, source};
use super::wire::Wire;

/// Every row of the group holds.
///
/// # Panics
/// With each that does not, and what is there instead.
pub async fn hold(group: &Group) {
    let rows = (group.rows)();
    if rows.is_empty() {
        return;
    }
    let mut site = Site::start("conformance", group.channels).await;
    let mut failures = Vec::new();
    let mut ran = Vec::new();
    for (number, row) in rows.into_iter().enumerate() {
        let mut wire = Wire::connect(source(number), site.listener(row.channel)).await;
        let from = wire.from;
        match talk(&mut wire, &row, number).await {
            Ok(probe) => ran.push((row, from, probe)),
            Err(words) => failures.push(format!("{} {}: {words}", row.id, row.what)),
        }
    }
    site.settle().await;
    for (row, ..) in &ran {
        for read in &row.reads {
            if let Err(words) = compare_read(&site, read).await {
                failures.push(format!("{} {}: {words}", row.id, row.what));
            }
        }
    }
    site.stop();
    let store = stored::clinical(&site.pair.onprem_config.data).await;
    let (journal, messages) = (stored::journal(&store).await, stored::messages(&store).await);
    stored::close(store).await;
    for (row, from, probe) in ran {
        if let Err(words) = compare_kept(&row, from, probe.as_ref(), &journal, &messages) {
            failures.push(format!("{} {}: {words}", row.id, row.what));
        }
    }
    assert!(failures.is_empty(), "{} rows do not hold:\n{}", failures.len(), failures.join("\n"));
}

/// Sends what the row sends and compares what comes back. Gives the message that was sent afterwards, to see that the
/// connection takes one.
async fn talk(wire: &mut Wire, row: &Row, number: usize) -> Result<Option<Message>, String> {
    wire.framed_by = row.framed_by;
    for step in &row.sends {
        // What the node did instead of reading on is told by its answers.
        if let Err(words) = wire.take(step).await
            && row.then == Then::Open
        {
            return Err(words);
        }
    }
    for (at, expected) in (1..).zip(&row.answers) {
        let frame = wire.frame().await?.ok_or_else(|| format!("closed before answer {at}"))?;
        compare_answer(expected, &frame).map_err(|words| format!("answer {at}: {words}"))?;
    }
    let mut probe = None;
    if row.then == Then::Open && !wire.has_ended {
        let message = Message::new(&format!("AFTER-{number}"));
        wire.write(&message.framed()).await?;
        let frame = wire.frame().await?.ok_or("closed before the message after it was answered")?;
        compare_answer(&Answer::accept(&message), &frame)
            .map_err(|words| format!("the message after it: {words}"))?;
        wire.end().await?;
        probe = Some(message);
    }
    match wire.frame().await? {
        None => Ok(probe),
        Some(frame) => Err(format!("one answer too many: {}", shown(&frame))),
    }
}

fn compare_answer(expected: &Answer, frame: &[u8]) -> Result<(), String> {
    if expected.code.is_empty() {
        let is_block = frame == expected.control_id;
        return if is_block { Ok(()) } else { Err(format!("a commit block expected: {}", shown(frame))) };
    }
    let found = Acknowledgment::read(frame).map_err(|error| format!("{error}: {}", shown(frame)))?;
    let error = found.error.map(|error| error.code());
    if found.code.code() != expected.code || error != expected.error {
        return Err(format!("{} {:?} expected: {}", expected.code, expected.error, shown(frame)));
    }
    if found.control_id != expected.control_id {
        return Err(format!("MSA-2 `{}` expected: {}", shown(&expected.control_id), shown(frame)));
    }
    let has = |bytes: &[u8]| frame.windows(bytes.len()).any(|window| window == bytes);
    if let Some(missing) = expected.holds.iter().find(|bytes| !has(bytes)) {
        return Err(format!("`{}` expected: {}", shown(missing), shown(frame)));
    }
    if let Some(unwanted) = expected.lacks.iter().find(|bytes| has(bytes)) {
        return Err(format!("`{}` not expected: {}", shown(unwanted), shown(frame)));
    }
    Ok(())
}

async fn compare_read(site: &Site, read: &Read) -> Result<(), String> {
    let resource = site.pair.here().only(&read.query).await?;
    let found = resource.pointer(read.pointer).and_then(|value| value.as_str());
    if found == read.text.as_deref() {
        return Ok(());
    }
    Err(format!("{:?} expected at {}, {found:?} there", read.text, read.pointer))
}

/// Bytes of made-up messages, readable.
fn shown(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| std::ascii::escape_default(*byte).to_string()).collect()
}

/// The journal holds of this connection what the row says, in this order, and nothing else.
fn compare_kept(
    row: &Row,
    from: SocketAddr,
    probe: Option<&Message>,
    journal: &[Entry],
    messages: &[MessageRow],
) -> Result<(), String> {
    let from = from.to_string();
    let entries: Vec<&Entry> = journal.iter().filter(|entry| entry.peer == from).collect();
    let after = probe.map(Kept::routed);
    let expected: Vec<&Kept> = row.kept.iter().chain(&after).collect();
    if entries.len() != expected.len() {
        let codes: Vec<_> = entries.iter().map(|entry| (entry.bytes.len(), &entry.refused)).collect();
        return Err(format!("{} entries expected, {} kept: {codes:?}", expected.len(), entries.len()));
    }
    for (at, (kept, entry)) in (1..).zip(expected.into_iter().zip(entries)) {
        compare_entry(kept, entry, messages).map_err(|words| format!("entry {at}: {words}"))?;
    }
    Ok(())
}

fn compare_entry(kept: &Kept, entry: &Entry, messages: &[MessageRow]) -> Result<(), String> {
    if entry.bytes != kept.bytes {
        return Err(format!("other bytes: `{}`", shown(&entry.bytes[..entry.bytes.len().min(400)])));
    }
    let code = entry.acknowledgment.as_ref().map(|given| given.code.as_str());
    if code != kept.code {
        return Err(format!("{:?} expected with it, {code:?} kept", kept.code));
    }
    let message = messages.iter().find(|message| message.id == entry.id).ok_or("no row in the list")?;
    let found: (MessageState, Option<&str>) = (message.state, message.reason.as_deref());
    if found != (kept.state, kept.reason) {
        let expected = (kept.state, kept.reason);
        return Err(format!("{expected:?} expected, {found:?} there, issues {}", message.issues));
    }
    Ok(())
}
