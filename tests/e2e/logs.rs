//! Logs at their most talkative hold nothing that was sent.

use std::process::{Child, Command, Stdio};

use harness::{Pair, Person, Sender, binary, eventually, sender, stored};

/// One node of the pair as a process, its words in a file.
fn node(pair: &Pair, name: &str) -> Child {
    let log = std::fs::File::create(pair.folder.join(&format!("{name}.log"))).expect("a log file");
    let words = log.try_clone().expect("a second handle");
    Command::new(binary::path())
        .args(["run", "--until-stdin-closes", "-c"])
        .arg(pair.folder.join(&format!("{name}.yaml")))
        .stdin(Stdio::piped())
        .stdout(words)
        .stderr(log)
        .spawn()
        .expect("the binary can be started")
}

fn stop(mut node: Child) {
    drop(node.stdin.take());
    assert!(node.wait().expect("the node ends").success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_sent_is_in_the_logs() {
    let pair = Pair::make("logs").await;
    for file in ["onprem.yaml", "cloud.yaml"] {
        let path = pair.folder.join(file);
        let text = std::fs::read_to_string(&path).expect("init made it");
        std::fs::write(&path, format!("{text}log: {{level: debug, format: json}}\n"))
            .expect("it can be written");
    }
    let (cloud, onprem) = (node(&pair, "cloud"), node(&pair, "onprem"));
    let (here, there) = (pair.here(), pair.there());
    for surface in [&here, &there] {
        eventually("readiness", || async {
            match surface.get("/readyz").await?.status {
                200 => Ok(()),
                status => Err(format!("status {status}")),
            }
        })
        .await;
    }
    let people = [Person::new(121), Person::new(122), Person::new(123)];
    let mut connection = Sender::connect(pair.mllp()).await;
    for (n, person) in people.iter().enumerate() {
        connection.accepted(&person.a01(&format!("LG-{n}-1"))).await;
        connection
            .accepted(
                &person.oru(&format!("LG-{n}-2"), &[("2823-3", "4.1", "F"), ("2951-2", &person.number, "F")]),
            )
            .await;
    }
    // Everything that goes wrong has words too.
    connection.send(people[0].a01("LG-bad").replacen("ADT^A01^ADT_A01", "ADT^A99", 1).as_bytes()).await;
    connection.send(people[0].a01("LG-0-1").as_bytes()).await;
    connection.send(format!("no header {}\r", people[0].family).as_bytes()).await;
    sender::raw(pair.mllp(), format!("GET /{} HTTP/1.1\r\n\r\n", people[1].family).as_bytes()).await;
    sender::raw(pair.mllp(), format!("\x0b{}", people[1].a01("LG-cut")).as_bytes()).await;
    there.counted("Patient", 3).await;
    here.counted("Observation", 6).await;
    for person in &people {
        here.only(&format!("Patient?identifier={}", person.number)).await.expect("the patient");
        here.answer(&format!("/fhir/Patient?name={}", person.family)).await.expect("a refusal");
        here.answer(&format!("/fhir/Patient/{}", person.ssn)).await.expect("a refusal");
        there.answer(&format!("/fhir/Patient?identifier={}", person.number)).await.expect("a refusal");
        here.get(&format!("/nowhere/{}", person.family)).await.expect("a refusal");
    }
    stop(onprem);
    stop(cloud);
    let mut logs = String::new();
    for name in ["onprem.log", "cloud.log"] {
        let log = std::fs::read_to_string(pair.folder.join(name)).expect("a log");
        assert!(log.contains("node is up") && log.lines().count() > 3, "{name} says something");
        logs.push_str(&log);
    }
    for identifier in people.iter().flat_map(Person::identifiers) {
        assert!(!logs.contains(&identifier), "an identifier that was sent is in a log");
    }
    assert!(logs.contains("quarantined") || logs.contains("unsupported-type"), "quarantine is logged");
    let store = stored::clinical(&pair.onprem_config.data).await;
    assert!(stored::messages(&store).await.len() >= 9);
    stored::close(store).await;
}
