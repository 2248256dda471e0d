//! A demo that was ended goes on where it was: same folder, keys, tokens and data, and a new one-time link.

use std::process::{Child, Command, Stdio};

use harness::{Person, Sender, Surface, TempFolder, Visitor, binary, eventually, ports};
use serde_json::Value;

/// A demo in a process of its own; it ends when its stdin closes.
struct Demo(Child);

impl Demo {
    fn start(arguments: &[String]) -> Self {
        let child = Command::new(binary::path())
            .arg("demo")
            .args(arguments)
            .current_dir(harness::root())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.expect("the demo can be started"))
    }

    fn end(mut self) -> Option<i32> {
        drop(self.0.stdin.take());
        self.0.wait().expect("the demo ends").code()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Fails when it has ended already, which is as good.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// `demo.json` of a demo that is up, once it names these processes' predecessors no more.
async fn description(folder: &TempFolder, seed: u64) -> Value {
    eventually("demo.json", || async {
        let text = std::fs::read(folder.join("demo/demo.json")).map_err(|error| error.to_string())?;
        let description: Value = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        if description["seed"] == seed {
            Ok(description)
        } else {
            Err(format!("seed {}", description["seed"]))
        }
    })
    .await
}

fn text<'d>(description: &'d Value, name: &str) -> &'d str {
    description[name].as_str().unwrap_or_else(|| panic!("demo.json has {name}"))
}

fn code(description: &Value) -> String {
    text(description, "login_url").split_once("code=").expect("a link has a code").1.to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demo_goes_on_where_it_was() {
    let folder = TempFolder::new("again");
    let (http, cloud_http) = (ports::free(), ports::free());
    let mllp = ports::run(3);
    let data = folder.join("demo");
    let mut arguments: Vec<String> = ["--no-feed", "--data"].map(str::to_owned).to_vec();
    arguments.push(data.to_str().expect("a path").to_owned());
    let places = [("--http", http), ("--cloud-http", cloud_http), ("--mllp", mllp)];
    arguments.extend(places.iter().flat_map(|(name, address)| [(*name).to_owned(), address.to_string()]));

    let demo = Demo::start(&arguments);
    let first = description(&folder, 7).await;
    for (name, after) in [("mllp", 0), ("pharmacy_mllp", 1), ("payer_mllp", 2)] {
        let expected = std::net::SocketAddr::new(mllp.ip(), mllp.port() + after);
        assert_eq!(text(&first, name), expected.to_string());
        drop(Sender::connect(expected).await);
    }
    let here = Surface::new(http, text(&first, "onprem_token"));
    let person = Person::new(91);
    Sender::connect(mllp).await.accepted(&person.a01("D-1")).await;
    here.counted("Patient", 1).await;
    assert_eq!(demo.end(), Some(0));

    // Once more, without a word about addresses: they are the ones of its configuration.
    let demo = Demo::start(&arguments[..3]);
    let again = description(&folder, 8).await;
    assert_eq!(text(&again, "onprem_token"), text(&first, "onprem_token"));
    assert_eq!(text(&again, "onprem_url"), format!("http://{http}"));
    here.counted(&format!("Patient?identifier={}", person.number), 1).await;
    Surface::new(cloud_http, text(&again, "cloud_token")).counted("Patient", 1).await;
    assert_eq!(Visitor::new(http).sign_in(&code(&first)).await.status, 403, "the old link opens nothing");
    Visitor::signed_in(http, &code(&again)).await;
    assert_eq!(demo.end(), Some(0));

    // A check counts from nothing, so it does not run here.
    let ran = harness::tidegate(&["demo", "--check", "--data", data.to_str().expect("a path")]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("holds a demo already"), "{}", ran.stderr);
}
