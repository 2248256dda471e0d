//! A thousand seeded tampers of a sealed ledger: every one is found, by this verifier and by the one in Python.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use audit::export::Line;
use audit::{
    Checkpoint, Frontier, Kind, Record, Sealer, SigningKey, Verdict, Verification, VerifyingKey, leaf_hash,
};
use uuid::Uuid;

const TAMPERS: u64 = 1_000;
/// Every so many tampers are also given to the second verifier, which is slow.
const SECOND_OPINION_EVERY: u64 = 50;

/// xorshift64*: small, seeded, the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).expect("31 bits") % limit
    }
}

/// A ledger as it is stored, and what a witness kept of it.
#[derive(Clone)]
struct Ledger {
    rows: Vec<(u64, Vec<u8>, audit::Hash)>,
    notes: Vec<String>,
    witness: Vec<String>,
}

fn record(number: u64) -> Vec<u8> {
    let at_us = 1_700_000_000_000_000 + i64::try_from(number).expect("small") * 1_000;
    Record::new(Kind::MessageApplied, Uuid::from_u128(number.into()), "node-1", at_us)
        .outcome("ok")
        .object("stage", "mapped")
        .expect("code")
        .to_bytes()
}

/// Seals `records` in batches of 1 to 5; the witness keeps every checkpoint from the second on.
fn sealed(records: &[Vec<u8>], key: &SigningKey, random: &mut Random) -> Ledger {
    let mut sealer = Sealer::new("node-1/ledger", Frontier::default(), 0);
    let (mut rows, mut notes) = (Vec::new(), Vec::new());
    let mut rest = records;
    while !rest.is_empty() {
        let (batch, later) = rest.split_at((1 + random.below(5)).min(rest.len()));
        let now_us = 1_700_000_100_000_000 + i64::try_from(rows.len()).expect("small");
        let seal = sealer.prepare(batch.iter().map(Vec::as_slice), now_us, key);
        sealer.commit(&seal).expect("continues");
        for ((leaf, bytes), hash) in (seal.first_leaf..).zip(batch).zip(&seal.hashes) {
            rows.push((leaf, bytes.clone(), *hash));
        }
        notes.push(seal.note);
        rest = later;
    }
    let witness = notes.iter().skip(1).cloned().collect();
    Ledger { rows, notes, witness }
}

fn verdict(ledger: &Ledger, key: &VerifyingKey, with_hashes: bool) -> Verdict {
    let mut verification = Verification::new(key.clone());
    for (leaf, bytes, hash) in &ledger.rows {
        if with_hashes {
            verification.record_with_hash(*leaf, bytes, *hash);
        } else {
            verification.record(*leaf, bytes);
        }
    }
    ledger.notes.iter().for_each(|note| verification.checkpoint(note));
    ledger.witness.iter().for_each(|note| verification.witness(note));
    verification.finish()
}

/// One tamper; returns its name and, when it hits one row that a stored hash still tells of, that row's leaf.
fn tamper(ledger: &mut Ledger, key: &SigningKey, random: &mut Random) -> (&'static str, Option<u64>) {
    let count = ledger.rows.len();
    let place = random.below(count);
    let leaf = Some(ledger.rows[place].0);
    match random.below(9) {
        0 => {
            let byte = random.below(ledger.rows[place].1.len());
            ledger.rows[place].1[byte] ^= 1 << random.below(8);
            ("flip a bit", leaf)
        }
        1 => {
            ledger.rows[place].1 = record(1_000_000);
            ledger.rows[place].2 = leaf_hash(&ledger.rows[place].1);
            ("replace a record and its hash", None)
        }
        2 => {
            ledger.rows.remove(place);
            ("delete a row", leaf)
        }
        3 => {
            ledger.rows.remove(place);
            (0..).zip(&mut ledger.rows).for_each(|(leaf, row)| row.0 = leaf);
            ("delete a row and renumber", None)
        }
        4 => {
            let other = (place + 1 + random.below(count - 1)) % count;
            let (one, two) = (ledger.rows[place].clone(), ledger.rows[other].clone());
            (ledger.rows[place].1, ledger.rows[place].2) = (two.1, two.2);
            (ledger.rows[other].1, ledger.rows[other].2) = (one.1, one.2);
            ("swap two records", None)
        }
        5 => {
            ledger.rows.truncate(place);
            ("truncate the records", leaf)
        }
        6 => {
            let kept = random.below(ledger.notes.len());
            ledger.notes.truncate(kept);
            let sizes = ledger
                .notes
                .iter()
                .map(|note| Checkpoint::from_note(note, &key.public()).expect("ours").size);
            ledger.rows.truncate(usize::try_from(sizes.max().unwrap_or(0)).expect("small"));
            ("truncate records and checkpoints", None)
        }
        7 => {
            let mut records: Vec<Vec<u8>> = ledger.rows.iter().map(|row| row.1.clone()).collect();
            records[place] = record(1_000_001);
            let forked = sealed(&records, key, random);
            (ledger.rows, ledger.notes) = (forked.rows, forked.notes);
            ("rewrite with the stolen key", None)
        }
        _ => {
            let forger = SigningKey::generate("node-1/ledger").expect("key");
            let mut records: Vec<Vec<u8>> = ledger.rows.iter().map(|row| row.1.clone()).collect();
            records.push(record(1_000_002));
            let forged = sealed(&records, &forger, random);
            (ledger.rows, ledger.notes) = (forged.rows, forged.notes);
            ("re-sign with another key", None)
        }
    }
}

fn export(ledger: &Ledger) -> (String, String) {
    let mut lines = String::new();
    for (leaf, record, hash) in &ledger.rows {
        let line = Line::Leaf { leaf: *leaf, record: record.clone(), hash: *hash };
        writeln!(lines, "{}", line.to_text()).expect("string");
    }
    let notes = |notes: &[String]| {
        notes.iter().map(|note| Line::Checkpoint(note.clone()).to_text() + "\n").collect::<String>()
    };
    (lines + &notes(&ledger.notes), notes(&ledger.witness))
}

/// What the verifier in Python says of these ledgers: intact or not, and the first bad leaf. `None`: no Python here.
fn second_opinion(name: &str, ledgers: &[Ledger], key: &VerifyingKey) -> Option<Vec<(bool, Option<u64>)>> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("folder");
    let mut command = Command::new("python3");
    command
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/audit/verify_ledger.py"))
        .arg(key.to_text());
    for (number, ledger) in ledgers.iter().enumerate() {
        let (ledger_path, witness_path) =
            (folder.join(format!("{number}.ndjson")), folder.join(format!("{number}.witness.ndjson")));
        let (lines, witness) = export(ledger);
        std::fs::write(&ledger_path, lines).expect("write");
        std::fs::write(&witness_path, witness).expect("write");
        command.arg(ledger_path).arg(witness_path);
    }
    let output = match command.output() {
        Ok(output) => output,
        Err(error) if std::env::var_os("CI").is_none() => {
            eprintln!("python3 does not run here ({error}): the second verifier was not asked");
            return None;
        }
        Err(error) => panic!("python3 does not run: {error}"),
    };
    let text = String::from_utf8(output.stdout).expect("utf-8");
    let verdicts: Vec<_> = text
        .lines()
        .map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).expect("json");
            (value["intact"].as_bool().expect("intact"), value["first_bad"].as_u64())
        })
        .collect();
    assert_eq!(verdicts.len(), ledgers.len(), "{}", String::from_utf8_lossy(&output.stderr));
    let broken = verdicts.iter().any(|(intact, _)| !intact);
    assert_eq!(output.status.code(), Some(if broken { 10 } else { 0 }));
    Some(verdicts)
}

fn records(count: u64) -> Vec<Vec<u8>> {
    (0..count).map(record).collect()
}

#[test]
fn every_one_of_a_thousand_tampers_is_found_and_both_verifiers_agree() {
    let key = SigningKey::generate("node-1/ledger").expect("key");
    let mut random = Random(0x5eed);
    let (mut asked, mut expected) = (Vec::new(), Vec::new());
    for round in 0..TAMPERS {
        let count = 12 + u64::try_from(random.below(40)).expect("small");
        let original = sealed(&records(count), &key, &mut random);
        let mut ledger = original.clone();
        assert!(verdict(&ledger, &key.public(), round % 2 == 0).is_intact(), "round {round}");
        let (name, leaf) = tamper(&mut ledger, &key, &mut random);
        let verdict_with = verdict(&ledger, &key.public(), true);
        assert!(!verdict_with.is_intact(), "round {round}: {name}");
        if round % 4 == 0 {
            assert!(
                !verdict(&ledger, &key.public(), false).is_intact(),
                "round {round}: {name}, without stored hashes"
            );
        }
        if leaf.is_some() {
            assert_eq!(verdict_with.findings[0].leaf, leaf, "round {round}: {name}: {verdict_with}");
        }
        if round % SECOND_OPINION_EVERY == 0 {
            asked.push(original);
            expected.push((true, None));
            asked.push(ledger);
            expected.push((false, verdict_with.findings[0].leaf));
        }
    }
    if let Some(verdicts) = second_opinion("tampers", &asked, &key.public()) {
        assert_eq!(verdicts, expected);
    }
}

#[test]
fn without_a_witness_the_verdict_says_so_and_a_truncation_with_its_checkpoints_passes() {
    let key = SigningKey::generate("node-1/ledger").expect("key");
    let mut ledger = sealed(&records(20), &key, &mut Random(1));
    let witness = std::mem::take(&mut ledger.witness);
    let kept = ledger.notes.len() / 2;
    ledger.notes.truncate(kept);
    let size = Checkpoint::from_note(&ledger.notes[kept - 1], &key.public()).expect("ours").size;
    ledger.rows.truncate(usize::try_from(size).expect("small"));
    let alone = verdict(&ledger, &key.public(), true);
    assert!(alone.is_intact() && alone.witnessed_size.is_none());
    assert!(alone.to_string().contains("not witnessed"));
    ledger.witness = witness;
    let witnessed = verdict(&ledger, &key.public(), true);
    assert_eq!(witnessed.findings[0].leaf, Some(size));
    assert_eq!(witnessed.witnessed_size, Some(size));
}

#[test]
fn records_that_wait_too_long_are_found() {
    let key = SigningKey::generate("node-1/ledger").expect("key");
    let now_us = 1_700_000_000_000_000;
    for (count, oldest, intact) in [
        (0, None, true),
        (3, Some(now_us - 1_999_999), true),
        (3, Some(now_us - 2_000_001), false),
        (1, None, false),
    ] {
        let mut verification = Verification::new(key.public());
        verification.unsealed(count, oldest, now_us);
        assert_eq!(verification.finish().is_intact(), intact, "{count} {oldest:?}");
    }
}

#[test]
fn a_ledger_altered_in_two_places_names_the_first_and_findings_are_bounded() {
    let key = SigningKey::generate("node-1/ledger").expect("key");
    let mut ledger = sealed(&records(3_000), &key, &mut Random(2));
    for row in &mut ledger.rows[40..] {
        row.1 = record(9_999_999);
    }
    let found = verdict(&ledger, &key.public(), true);
    assert_eq!(found.findings[0].leaf, Some(40));
    assert!(
        found.findings.len() <= 1_010 && found.to_string().contains("1960 further records"),
        "{}",
        found.findings.len()
    );
}

#[test]
fn checkpoints_of_another_log_or_running_backwards_are_found() {
    let key = SigningKey::generate("node-1/ledger").expect("key");
    let ledger = sealed(&records(20), &key, &mut Random(3));
    let mut reordered = ledger.clone();
    reordered.notes.swap(0, 1);
    assert!(!verdict(&reordered, &key.public(), true).is_intact());
    let mut foreign = ledger.clone();
    let other =
        Checkpoint { origin: "node-2/ledger".into(), size: 0, root: Frontier::default().root(), at_us: 1 };
    foreign.witness.push(other.to_note(&key));
    assert!(!verdict(&foreign, &key.public(), true).is_intact());
}
