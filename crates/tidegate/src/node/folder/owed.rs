//! Application acknowledgments of what came in files, beside each file: `NAME.app.ack`, which grows as its messages are
//! applied.
//!
//! What is on the disk is noted as sent. A node that dies between the two writes it once more: who reads them knows each
//! by MSA-2.

use std::collections::{BTreeMap, HashSet};

use sources::folder::Owed;
use store::{JournalId, Seq};
use uuid::Uuid;

use super::{Interruption, Source};

/// What was written and is not known to be noted yet.
pub(super) type Written = HashSet<JournalId>;

/// Writes what is owed to files that are put away; what belongs to one under way waits for that.
pub(super) fn write(source: &mut Source) -> Result<(), Interruption> {
    if !source.receiver.may_owe() {
        return Ok(());
    }
    let done = match pass(source) {
        Ok(done) => done,
        Err(interruption) => {
            source.receiver.owes_still();
            return Err(interruption);
        }
    };
    if !done {
        source.receiver.owes_still();
    }
    Ok(())
}

/// One pass over all that is owed; `false`: something is left, or not known to be noted.
fn pass(source: &mut Source) -> Result<bool, Interruption> {
    // Asked first: what is given after it was looked for is not taken for written.
    let has_kept_all = source.handle.block_on(source.receiver.has_kept_all())?;
    let (mut after, mut seen, mut is_all) = (Seq(0), Written::new(), true);
    loop {
        let owed = source.handle.block_on(source.receiver.owed_to_files(after))?;
        let Some(last) = owed.last() else { break };
        after = last.seq;
        let mut files: BTreeMap<Uuid, Vec<Owed>> = BTreeMap::new();
        for one in owed {
            seen.insert(one.entry);
            if !source.written.contains(&one.entry) {
                files.entry(one.claim).or_default().push(one);
            }
        }
        for (claim, owed) in files {
            is_all &= write_file(source, claim, &owed)?;
        }
    }
    source.written.retain(|entry| seen.contains(entry));
    if !source.written.is_empty() || !is_all {
        return Ok(false);
    }
    if has_kept_all {
        source.place.forget_promises()?;
    }
    Ok(true)
}

/// Adds to the acknowledgments of one file; `false`: the file is still under way.
fn write_file(source: &mut Source, claim: Uuid, owed: &[Owed]) -> Result<bool, Interruption> {
    let is_under_way = source.place.is_under_way(claim)?;
    let bytes = owed.iter().map(|one| &one.bytes[..]).collect::<Vec<_>>().concat();
    let is_written = !is_under_way && source.place.add_owed(claim, &bytes)?;
    if is_under_way {
        return Ok(false);
    }
    for one in owed {
        // Without a file nobody waits for it.
        source.handle.block_on(source.receiver.note_written(one.entry, is_written))?;
        source.written.insert(one.entry);
    }
    Ok(true)
}
