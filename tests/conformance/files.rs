//! Files dropped into a folder: taken, answered, put away; streamed; taken once however often the node dies.

use std::path::{Path, PathBuf};

use harness::{NodeProcess, Pair, Person, TempFolder, eventually, stored};
use serde_json::Value;
use store::{AckOutcome, Entry, MessageState};
use tidegate::config::{Config, Folder};

/// Where files are dropped and put away.
#[derive(Clone)]
struct Folders {
    drop: PathBuf,
    archive: PathBuf,
    errors: PathBuf,
}

impl Folders {
    fn of(folder: &TempFolder) -> Self {
        let [drop, archive, errors] = ["drop", "taken", "wrong"].map(|name| folder.join(name));
        Self { drop, archive, errors }
    }

    /// The channel `files` of these folders.
    fn configure(config: &mut Config, folder: &TempFolder) {
        let Self { drop, archive, errors } = Self::of(folder);
        config.folders = vec![Folder {
            name: "files".to_owned(),
            path: drop,
            archive,
            errors,
            pattern: None,
            message_bytes_max: 1 << 20,
            default_charset: None,
        }];
    }

    /// Writes a file as a partner should: under another name, then renamed.
    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let written = self.drop.join(format!("{name}.tmp"));
        std::fs::write(&written, bytes).expect("a file can be written");
        std::fs::rename(written, self.drop.join(name)).expect("a file can be renamed");
    }

    /// Waits until a file is put away; its folder.
    async fn put_away(&self, name: &str) -> PathBuf {
        eventually(name, || async {
            let folders = [&self.archive, &self.errors];
            let found = folders.into_iter().find(|folder| folder.join(name).exists());
            found.cloned().ok_or_else(|| "it is not put away".to_owned())
        })
        .await
    }
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn report(folder: &Path, name: &str) -> Value {
    serde_json::from_str(&text(&folder.join(format!("{name}.report.json")))).expect("a report is JSON")
}

/// MSA-1 and MSA-2 of each acknowledgment in an answer.
fn answers(folder: &Path, name: &str) -> Vec<(String, String)> {
    let answer = text(&folder.join(format!("{name}.ack")));
    let lines = answer.split('\r').filter(|line| line.starts_with("MSA|"));
    let parts = lines.map(|line| line.split('|').map(ToOwned::to_owned).collect::<Vec<_>>());
    parts.map(|parts| (parts[1].clone(), parts[2].clone())).collect()
}

async fn journal(pair: &Pair) -> Vec<Entry> {
    let store = stored::clinical(&pair.onprem_config.data).await;
    let entries = stored::journal(&store).await;
    stored::close(store).await;
    entries
}

fn batch(messages: &[String]) -> String {
    let count = messages.len();
    format!(
        "FHS|^~\\&|PAYER|HARBOR|TIDEGATE|ONPREM|20190312||||F7\rBHS|^~\\&|PAYER|HARBOR|TIDEGATE|ONPREM|20190312||||B7\r\
         {}BTS|{count}\rFTS|1\r",
        messages.concat()
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_taken_answered_and_put_away() {
    let mut pair = Pair::start_with("files", Folders::configure).await;
    let folders = Folders::of(&pair.folder);
    let one = Person::new(41).a01("ONE");
    let two = [Person::new(42).a01("TWO-1"), Person::new(43).a01("TWO-2")];
    let framed = [Person::new(44).a01("THREE-1"), Person::new(45).a01("THREE-2")];
    for unfinished in [".hidden", "being.tmp", "written.part"] {
        std::fs::write(folders.drop.join(unfinished), Person::new(46).a01("NEVER")).expect("a file");
    }
    std::fs::create_dir(folders.drop.join("folder")).expect("a folder");
    folders.put("one.hl7", &one);
    folders.put("two.hl7", batch(&two));
    folders.put("three.hl7", framed.iter().map(|er7| format!("\x0b{er7}\x1c\r")).collect::<String>());
    for name in ["one.hl7", "two.hl7", "three.hl7"] {
        assert_eq!(folders.put_away(name).await, folders.archive, "{name}");
        assert!(!folders.archive.join(format!("{name}.report.json")).exists(), "{name}");
    }
    let accepted =
        |ids: &[&str]| ids.iter().map(|id| ("AA".to_owned(), (*id).to_owned())).collect::<Vec<_>>();
    assert_eq!(answers(&folders.archive, "one.hl7"), accepted(&["ONE"]));
    assert_eq!(answers(&folders.archive, "two.hl7"), accepted(&["TWO-1", "TWO-2"]));
    assert_eq!(answers(&folders.archive, "three.hl7"), accepted(&["THREE-1", "THREE-2"]));
    let answer = text(&folders.archive.join("two.hl7.ack"));
    assert!(answer.starts_with("FHS|^~\\&|TIDEGATE|ONPREM|PAYER|HARBOR|"), "{answer}");
    assert!(answer.contains("|F7\rBHS|^~\\&|TIDEGATE|ONPREM|PAYER|HARBOR|"), "{answer}");
    assert!(answer.ends_with("BTS|2\rFTS|1\r"), "{answer}");

    // The same file again is told from the first and adds nothing.
    folders.put("two.hl7", batch(&two));
    let again = eventually("the second taking", || async {
        let names = std::fs::read_dir(&folders.archive).map_err(|error| error.to_string())?;
        let names: Vec<String> =
            names.filter_map(|name| Some(name.ok()?.file_name().to_string_lossy().into_owned())).collect();
        let mut again = names.iter().filter(|name| name.starts_with("two.hl7.") && !name.ends_with(".ack"));
        again.next().cloned().ok_or_else(|| format!("{names:?}"))
    })
    .await;
    assert_eq!(answers(&folders.archive, &again), accepted(&["TWO-1", "TWO-2"]));

    pair.here().counted("Patient?identifier=7731045", 1).await;
    pair.stop_onprem().await;
    let entries = journal(&pair).await;
    let expected: Vec<&String> = [&one].into_iter().chain(&two).chain(&framed).collect();
    assert_eq!(entries.len(), expected.len());
    for er7 in expected {
        let entry = entries.iter().find(|entry| entry.bytes == er7.as_bytes()).expect("each message is kept");
        assert_eq!((entry.channel.as_str(), &entry.refused), ("files", &None));
        let outcome = entry.acknowledgment.as_ref().map(|given| given.outcome);
        assert_eq!(outcome, Some(AckOutcome::NotOwed));
    }
    for unfinished in [".hidden", "being.tmp", "written.part", "folder"] {
        assert!(folders.drop.join(unfinished).exists(), "{unfinished} was taken");
    }
}

/// A message that asks for these acknowledgments in MSH-15 and MSH-16.
fn asking(er7: &str, conditions: &str) -> String {
    er7.replacen("|P|2.5.1||||||", &format!("|P|2.5.1|||{conditions}||"), 1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn application_acknowledgments_stand_beside_the_file() {
    let mut pair = Pair::start_with("files-later", Folders::configure).await;
    let folders = Folders::of(&pair.folder);
    let odd = Person::new(64).a01("L-4").replacen("ADT^A01^ADT_A01", "ZZZ^Z01", 1);
    let messages = [
        asking(&Person::new(61).a01("L-1"), "AL|AL"),
        asking(&Person::new(62).a01("L-2"), "NE|AL"),
        asking(&Person::new(63).a01("L-3"), "AL|ER"),
        asking(&odd, "AL|ER"),
        Person::new(65).a01("L-5"),
    ];
    folders.put("later.hl7", batch(&messages));
    assert_eq!(folders.put_away("later.hl7").await, folders.archive);
    let pairs = |of: &[(&str, &str)]| {
        of.iter().map(|(code, id)| ((*code).to_owned(), (*id).to_owned())).collect::<Vec<_>>()
    };
    let given = pairs(&[("CA", "L-1"), ("CA", "L-3"), ("CA", "L-4"), ("AA", "L-5")]);
    assert_eq!(answers(&folders.archive, "later.hl7"), given);
    // L-3 was applied and asked to hear of errors only; L-4 is of a type that nobody maps.
    let later = pairs(&[("AA", "L-1"), ("AA", "L-2"), ("AE", "L-4")]);
    eventually("the application acknowledgments", || async {
        let found = std::fs::read_to_string(folders.archive.join("later.hl7.app.ack"));
        let found = found.map_err(|error| error.to_string())?;
        let lines = found.matches("\rMSA|").count();
        if lines >= later.len() { Ok(()) } else { Err(found) }
    })
    .await;
    assert_eq!(answers(&folders.archive, "later.hl7.app"), later);
    // The same file again is no new message: its application was acknowledged beside the first.
    folders.put("again.hl7", batch(&messages));
    folders.put_away("again.hl7").await;
    eventually("the forgotten place of the file", || async {
        let names = std::fs::read_dir(folders.drop.join(".tidegate")).map_err(|error| error.to_string())?;
        let names: Vec<String> =
            names.filter_map(|name| Some(name.ok()?.file_name().to_string_lossy().into_owned())).collect();
        if names.iter().any(|name| name.ends_with(".promised")) { Err(format!("{names:?}")) } else { Ok(()) }
    })
    .await;
    assert!(!folders.archive.join("again.hl7.app.ack").exists());
    assert_eq!(answers(&folders.archive, "later.hl7.app"), later);
    pair.stop_onprem().await;
    let store = stored::clinical(&pair.onprem_config.data).await;
    for entry in stored::journal(&store).await {
        for later in store::Acknowledgments::given(&*store, entry.id).await.expect("reads") {
            let expected = if later.given.bytes.is_empty() { AckOutcome::NotOwed } else { AckOutcome::Sent };
            assert_eq!(later.outcome, expected);
        }
    }
    stored::close(store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_has_a_character_set_for_messages_that_name_none() {
    let mut pair = Pair::start_with("files-charset", |config, folder| {
        Folders::configure(config, folder);
        for folder in &mut config.folders {
            folder.default_charset = Some("8859/1".to_owned());
        }
    })
    .await;
    let folders = Folders::of(&pair.folder);
    let person = Person::new(47);
    let silent = person.a01("LATIN").replacen("UNICODE UTF-8", "", 1).replacen("PID|1|", "PID|1|\u{fc}", 1);
    let latin: Vec<u8> = silent.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin-1")).collect();
    let says = Person::new(48).a01("UTF-8").replacen("PID|1|", "PID|1|\u{fc}", 1);
    folders.put("latin.hl7", &latin);
    folders.put("utf-8.hl7", &says);
    for (name, id) in [("latin.hl7", "LATIN"), ("utf-8.hl7", "UTF-8")] {
        assert_eq!(folders.put_away(name).await, folders.archive, "{name}");
        assert_eq!(answers(&folders.archive, name), [("AA".to_owned(), id.to_owned())]);
    }
    pair.stop_onprem().await;
    let entries = journal(&pair).await;
    let kept: Vec<_> = entries.iter().map(|entry| (entry.bytes.to_vec(), entry.charset.as_deref())).collect();
    assert!(
        kept.contains(&(latin, Some("windows-1252"))),
        "the channel's character set is kept with its bytes"
    );
    assert!(kept.contains(&(says.into_bytes(), Some("windows-1252"))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_agree_is_reported_and_nothing_is_dropped() {
    let mut pair = Pair::start_with("files-wrong", Folders::configure).await;
    let folders = Folders::of(&pair.folder);
    let people: Vec<Person> = (51..60).map(Person::new).collect();
    let good: Vec<String> = people.iter().map(|person| person.a01(&person.number)).collect();
    let bare = people[0].a01("BARE").replacen("ADT^A01^ADT_A01", "", 1);
    let long = people[1].a08("LONG", &[&format!("NTE|1||{}", "x".repeat(1 << 20))]);
    let (fhs, bhs) = ("FHS|^~\\&|PAYER\r", "BHS|^~\\&|PAYER\r");
    folders.put("counts.hl7", format!("{fhs}{bhs}{}BTS|2\rFTS|3\r", good[0]));
    folders.put("trailers.hl7", format!("{fhs}{bhs}{}{bhs}{}", good[1], good[2]));
    folders.put("headers.hl7", format!("{}BTS|1\rFTS|1\r", good[3]));
    folders.put("refused.hl7", format!("{}{bare}{}", good[4], good[5]));
    folders.put("stray.hl7", format!("words before\r{}", good[6]));
    folders.put("long.hl7", format!("{}{long}{}", good[7], good[8]));
    folders.put("empty.hl7", "");
    let expected = [
        ("counts.hl7", vec![("message-count", Some((2, 1))), ("batch-count", Some((3, 1)))]),
        (
            "trailers.hl7",
            vec![
                ("batch-trailer-missing", None),
                ("batch-trailer-missing", None),
                ("file-trailer-missing", None),
            ],
        ),
        ("headers.hl7", vec![("batch-header-missing", None), ("file-header-missing", None)]),
        ("refused.hl7", vec![("header", None)]),
        ("stray.hl7", vec![("stray", None)]),
        ("long.hl7", vec![("oversized", None)]),
        ("empty.hl7", vec![("no-message", None)]),
    ];
    for (name, findings) in expected {
        assert_eq!(folders.put_away(name).await, folders.errors, "{name}");
        let report = report(&folders.errors, name);
        let found: Vec<(&str, Option<(u64, u64)>)> = report["findings"]
            .as_array()
            .expect("findings")
            .iter()
            .map(|finding| {
                let counts = finding["declared"].as_u64().zip(finding["found"].as_u64());
                (finding["code"].as_str().unwrap_or_default(), counts)
            })
            .collect();
        assert_eq!(found, findings, "{name}: {report}");
        let words = report.to_string();
        for leak in people.iter().flat_map(Person::identifiers) {
            assert!(!words.contains(&leak), "the report of {name} tells {leak}");
        }
    }
    let refused = report(&folders.errors, "refused.hl7");
    assert_eq!(refused["counts"]["messages"], 3);
    assert_eq!(
        (&refused["findings"][0]["message"], refused["findings"][0]["offset"].as_u64()),
        (&Value::from(2), u64::try_from(good[4].len()).ok())
    );
    let codes: Vec<String> =
        answers(&folders.errors, "refused.hl7").into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["AA", "AR", "AA"]);
    let last = text(&folders.errors.join("counts.hl7.ack"));
    assert!(last.contains("BTS|1|message-count declared 2 found 1\r"), "{last}");
    assert!(last.ends_with("FTS|1|batch-count declared 3 found 1\r"), "{last}");

    pair.stop_onprem().await;
    let entries = journal(&pair).await;
    for er7 in &good {
        let kept = entries.iter().filter(|entry| entry.bytes == er7.as_bytes() && entry.refused.is_none());
        assert_eq!(kept.count(), 1, "each message is kept once, whatever is around it");
    }
    let of = |reason: &str| {
        entries.iter().filter(|entry| entry.refused.as_deref() == Some(reason)).collect::<Vec<_>>()
    };
    assert_eq!(of("header")[0].bytes, bare.as_bytes());
    assert_eq!(of("stray")[0].bytes, b"words before\r".as_slice());
    assert_eq!(of("oversized")[0].bytes, long.as_bytes()[..1 << 20]);
}

/// How many messages a long file has: all of them where time is no matter.
fn many(small: usize, full: usize) -> usize {
    if std::env::var_os("TIDEGATE_FULL").is_some() { full } else { small }
}

/// Message `n` of a long file, of a type that no map knows: what is shown is the taking, not the mapping.
fn numbered(n: usize, filler: usize) -> String {
    format!(
        "MSH|^~\\&|BULK|HARBOR|TIDEGATE|ONPREM|20190312||ZZZ^Z99|M{n:07}|P|2.5.1\rNTE|1||{}\r",
        "x".repeat(filler)
    )
}

/// A pair whose on-prem node is run as a process; the cloud is away.
async fn bulk(name: &str) -> (Pair, Folders) {
    let pair = Pair::make(name).await;
    let folders = Folders::of(&pair.folder);
    let path = pair.folder.join("onprem.yaml");
    let more = "folders:\n  - {name: files, path: drop, archive: taken, errors: wrong}\n";
    std::fs::write(&path, text(&path) + more).expect("it can be written");
    std::fs::create_dir(&folders.drop).expect("a folder");
    (pair, folders)
}

async fn start(pair: &Pair) -> NodeProcess {
    let (config, log) = (pair.folder.join("onprem.yaml"), pair.folder.join("onprem.log"));
    NodeProcess::start(&config, &log, &pair.here()).await
}

/// Entries of the file, in order, without holding them all: their control ids.
async fn control_ids(pair: &Pair) -> Vec<String> {
    use store::Journal as _;
    let store = stored::clinical(&pair.onprem_config.data).await;
    let (mut ids, mut after) = (Vec::new(), store::Seq(0));
    loop {
        let page = store.after(after, 1_000).await.expect("the journal can be read");
        let Some(last) = page.last() else { break };
        after = last.seq;
        ids.extend(page.iter().map(|entry| {
            let message = hl7v2::Message::read(&entry.bytes).expect("each entry is a message");
            message.header().control_id().text().into_owned()
        }));
    }
    stored::close(store).await;
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_file_takes_no_more_memory_than_its_parts() {
    // Several times what its parts take on their way, so that half of it shows that the rest was never held.
    let (count, filler) = (many(16_000, 100_000), many(16_000, 2_000));
    let (pair, folders) = bulk("files-long").await;
    let node = start(&pair).await;
    // What a file of a few messages takes, is taken before.
    folders.put("short.hl7", (0..300).map(|n| numbered(1_000_000 + n, filler)).collect::<String>());
    folders.put_away("short.hl7").await;
    let before = node.peak_bytes();
    let written = folders.drop.join("long.hl7.tmp");
    {
        use std::io::Write as _;
        let mut file = std::io::BufWriter::new(std::fs::File::create(&written).expect("a file"));
        (0..count).for_each(|n| file.write_all(numbered(n, filler).as_bytes()).expect("space"));
        file.flush().expect("space");
    }
    let size = std::fs::metadata(&written).expect("a file").len();
    std::fs::rename(&written, folders.drop.join("long.hl7")).expect("a file can be renamed");
    // A long file takes long; what is waited for is each part of it, by the answer that grows.
    for messages in (0..count).step_by(4_000) {
        let least = u64::try_from(messages * 120).expect("a small number");
        eventually("the next part of the file", || async {
            let length = std::fs::metadata(folders.drop.join(".tidegate/answer")).map(|answer| answer.len());
            let is_there = folders.archive.join("long.hl7").exists();
            if is_there || length.as_ref().is_ok_and(|length| *length >= least) {
                Ok(())
            } else {
                Err(format!("{length:?} of {least}"))
            }
        })
        .await;
    }
    assert_eq!(folders.put_away("long.hl7").await, folders.archive);
    let grown = node.peak_bytes().saturating_sub(before);
    eprintln!("a file of {size} bytes: {grown} more at the peak than the {before} before");
    assert!(grown < size / 2, "{grown} bytes more for a file of {size}");
    node.stop();
    let expected: Vec<String> = (1_000_000..1_000_300).chain(0..count).map(|n| format!("M{n:07}")).collect();
    assert_eq!(control_ids(&pair).await, expected);
    assert_eq!(answers(&folders.archive, "long.hl7").len(), count);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_killed_in_the_midst_of_a_file_goes_on_without_gap_or_repetition() {
    let (count, kills) = (many(3_000, 30_000), many(3, 12));
    let (pair, folders) = bulk("files-killed").await;
    // Some are refused: what no sender names is not recognised by the journal's own search for repetitions.
    let message = |n: usize| match n % 50 {
        7 => numbered(n, 2_000).replacen("ZZZ^Z99", "", 1),
        _ => numbered(n, 2_000),
    };
    let file: Vec<String> = (0..count).map(message).collect();
    folders.put("file.hl7", file.concat());
    let work = folders.drop.join(".tidegate");
    for kill in 0..kills {
        let node = start(&pair).await;
        // The answer grows with each group that the journal has, before and after the progress is made durable.
        let least = u64::try_from(count * 120 * kill / (kills + 1)).expect("a small number");
        eventually("the midst of the file", || async {
            let length = std::fs::metadata(work.join("answer")).map(|answer| answer.len());
            match length {
                Ok(length) if length > least => Ok(()),
                _ => Err(format!("{length:?} of {least}; the log: {}", node.words())),
            }
        })
        .await;
        node.kill();
        assert!(work.join("file").exists(), "the file was taken before kill {kill}: make it longer");
    }
    let node = start(&pair).await;
    let put_away = folders.put_away("file.hl7").await;
    node.stop();
    assert_eq!(put_away, folders.errors, "some were refused");
    let expected: Vec<String> = (0..count).map(|n| format!("M{n:07}")).collect();
    assert_eq!(control_ids(&pair).await, expected);
    let answered: Vec<String> =
        answers(&folders.errors, "file.hl7").into_iter().map(|(_, control_id)| control_id).collect();
    assert_eq!(answered, expected);
    let refused = (0..count).filter(|n| n % 50 == 7).count();
    let report = report(&folders.errors, "file.hl7");
    assert_eq!(report["counts"]["messages"], count);
    assert_eq!(report["counts"]["refused"], refused);
    assert_eq!(report["counts"]["accepted"], count - refused);
    assert_eq!(report["counts"]["repeated"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_grows_while_it_is_taken_is_no_whole_file() {
    let (pair, folders) = bulk("files-grown").await;
    let file: String = (0..2_000).map(|n| numbered(n, 2_000)).collect();
    folders.put("file.hl7", &file);
    let mut late = std::fs::File::options().append(true).open(folders.drop.join("file.hl7")).expect("a file");
    let node = start(&pair).await;
    let work = folders.drop.join(".tidegate");
    eventually("the midst of the file", || async {
        let length = std::fs::metadata(work.join("answer")).map(|answer| answer.len());
        if length.as_ref().is_ok_and(|length| *length > 0) { Ok(()) } else { Err(format!("{length:?}")) }
    })
    .await;
    node.kill();
    std::io::Write::write_all(&mut late, numbered(9_999, 10).as_bytes()).expect("it can be written");
    let node = start(&pair).await;
    assert_eq!(folders.put_away("file.hl7").await, folders.errors);
    node.stop();
    assert_eq!(report(&folders.errors, "file.hl7")["findings"][0]["code"], "changed");
    let store = stored::clinical(&pair.onprem_config.data).await;
    let rows = stored::messages(&store).await;
    stored::close(store).await;
    assert!(rows.iter().all(|row| row.state == MessageState::Quarantined), "no map knows the type");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_batch_file_is_sent_in_one_frame_or_message_by_message() {
    let mut pair = Pair::start("files-sent").await;
    let people: Vec<Person> = (61..65).map(Person::new).collect();
    let bare = people[3].a01("S-4").replacen("ADT^A01^ADT_A01", "", 1);
    let file = pair.folder.join("batch.hl7");
    let messages: Vec<String> =
        people[..3].iter().zip(1..).map(|(one, n)| one.a01(&format!("S-{n}"))).collect();
    std::fs::write(&file, batch(&messages).replacen("BTS|3", &format!("{bare}BTS|4"), 1)).expect("a file");
    for options in [vec![], vec!["--as-batch".to_owned()]] {
        let mut arguments = vec!["send".to_owned()];
        arguments.extend(options);
        arguments.extend([pair.mllp().to_string(), file.display().to_string()]);
        let ran = tokio::task::spawn_blocking(move || harness::tidegate(&arguments)).await.expect("it runs");
        assert_eq!(ran.code, 1, "one is refused: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("4 sent, 1 not accepted"), "{}", ran.stderr);
        let codes: Vec<&str> =
            ran.stdout.lines().skip(1).filter_map(|line| line.split_whitespace().nth(1)).collect();
        assert_eq!(codes, ["AA", "AA", "AA", "AR"], "{}", ran.stdout);
    }
    pair.stop_onprem().await;
    let kept = journal(&pair).await;
    assert_eq!(kept.iter().filter(|entry| entry.refused.is_none()).count(), 3, "each is kept once");
}
