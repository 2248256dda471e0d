//! Where a demo lives: a new folder with a new pair of nodes, or one that holds a demo, which goes on.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::nodes::Node;
use crate::cli::DemoArgs;
use crate::config::{self, Config};
use crate::init::{Addresses, Purpose, Shown, init, login_codes};
use crate::{Exit, Failure, clock, keys};

/// What a script needs to talk to the demo; user-only.
pub const DESCRIPTION: &str = "demo.json";
/// The token of the on-prem node's admin API alone, as `--token-file` takes it; user-only.
pub const ADMIN_TOKEN: &str = "admin.token";
/// Seed of the first feed; a demo that goes on takes the next, for a feed that is sent again changes nothing.
const SEED: u64 = 7;

/// A demo's folder, addresses and secrets.
pub struct Place {
    /// Everything the demo has on disk.
    pub folder: PathBuf,
    /// Is the folder removed when the demo ends well?
    pub is_temporary: bool,
    /// Where the nodes listen.
    pub addresses: Addresses,
    /// Tokens, and codes of the one-time links.
    pub shown: Shown,
    /// Seed of this run's feed.
    pub seed: u64,
}

impl Place {
    /// A new place, or the one of `--data` when a demo is there already: it keeps its addresses, keys and data.
    pub async fn of(args: &DemoArgs) -> Result<Self, Failure> {
        match &args.data {
            Some(folder) if folder.join("onprem.yaml").exists() => {
                if args.check {
                    let words = format!(
                        "{} holds a demo already, and a check counts from nothing; name another folder",
                        folder.display()
                    );
                    return Err(Failure::new(Exit::Usage, words));
                }
                Self::again(folder)
            }
            Some(folder) => Self::new(args, folder.clone(), false).await,
            None => {
                let folder = std::env::temp_dir().join(format!("tidegate-demo-{}", clock::random_hex(6)));
                Self::new(args, folder, true).await
            }
        }
    }

    async fn new(args: &DemoArgs, folder: PathBuf, is_temporary: bool) -> Result<Self, Failure> {
        let addresses = addresses(args).await?;
        let absolute = |path: &Path| {
            std::path::absolute(path)
                .map_err(|error| Failure::new(Exit::Io, format!("{}: {error}", path.display())))
        };
        let (mappings, profiles) = (absolute(&args.mappings)?, absolute(&args.profiles)?);
        let shown = init(&folder, &addresses, &mappings, &profiles, Purpose::Demo)
            .map_err(|error| Failure::because(Exit::Configuration, &error))?;
        Ok(Self { folder, is_temporary, addresses, shown, seed: SEED })
    }

    fn again(folder: &Path) -> Result<Self, Failure> {
        let wrong = |words: &str| {
            Failure::new(Exit::Configuration, format!("{}: {words}", folder.join(DESCRIPTION).display()))
        };
        let text = std::fs::read(folder.join(DESCRIPTION)).map_err(|error| wrong(&error.to_string()))?;
        let description: Value = serde_json::from_slice(&text).map_err(|_| wrong("is no JSON"))?;
        let token = |name: &str| {
            description[name].as_str().map(ToOwned::to_owned).ok_or_else(|| wrong("has no tokens"))
        };
        let (onprem_token, cloud_token) = (token("onprem_token")?, token("cloud_token")?);
        let admin_token = token("admin_token")?;
        let seed = description["seed"].as_u64().ok_or_else(|| wrong("has no seed"))?.wrapping_add(1);
        let addresses = configured(folder)?;
        let (login_code, cloud_login_code) =
            login_codes(folder).map_err(|error| Failure::because(Exit::Configuration, &error))?;
        let hl7v2_token = None;
        // A demo of an earlier version has none.
        let clinician_secret = description["clinician_secret"].as_str().map(ToOwned::to_owned);
        let shown = Shown {
            onprem_token,
            cloud_token,
            admin_token,
            hl7v2_token,
            login_code,
            cloud_login_code,
            clinician_secret,
        };
        Ok(Self { folder: folder.to_owned(), is_temporary: false, addresses, shown, seed })
    }

    /// Writes [`DESCRIPTION`].
    pub fn describe(&self, onprem: &Node, cloud: &Node) -> Result<(), Failure> {
        let Addresses { http, cloud_http, mllp, pharmacy_mllp, payer_mllp, .. } = &self.addresses;
        let description = json!({
            "onprem_url": format!("http://{http}"), "cloud_url": format!("http://{cloud_http}"),
            "mllp": mllp.to_string(), "pharmacy_mllp": pharmacy_mllp.to_string(), "payer_mllp": payer_mllp.to_string(),
            "onprem_token": self.shown.onprem_token, "cloud_token": self.shown.cloud_token,
            "admin_token": self.shown.admin_token, "clinician_secret": self.shown.clinician_secret,
            "login_url": self.login_url(), "onprem_pid": onprem.pid(), "cloud_pid": cloud.pid(), "seed": self.seed,
        });
        let text =
            serde_json::to_vec_pretty(&description).map_err(|error| Failure::because(Exit::Io, &error))?;
        let wrong = |error| Failure::because(Exit::Io, &error);
        keys::replace(&self.folder, ADMIN_TOKEN, self.shown.admin_token.as_bytes()).map_err(wrong)?;
        keys::replace(&self.folder, DESCRIPTION, &text).map_err(wrong)
    }

    /// The one-time link to the on-prem console.
    pub fn login_url(&self) -> String {
        // The code is in the fragment's place of a query, used once and worthless afterwards.
        format!("http://{}/login?code={}", self.addresses.http, self.shown.login_code)
    }
}

/// Where the configurations of a demo say that its nodes listen.
fn configured(folder: &Path) -> Result<Addresses, Failure> {
    let load = |name: &str| -> Result<Config, Failure> {
        config::load(&folder.join(name)).map_err(|problems| {
            let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Failure::new(Exit::Configuration, words.join("\n"))
        })
    };
    let (onprem, cloud) = (load("onprem.yaml")?, load("cloud.yaml")?);
    let missing = |what: &str| {
        Failure::new(Exit::Configuration, format!("{}: this demo has no {what}", folder.display()))
    };
    let channel = |name: &str| {
        let channel = onprem.mllp.iter().find(|mllp| mllp.name == name);
        channel.map(|mllp| mllp.listen).ok_or_else(|| missing(&format!("listener `{name}`")))
    };
    Ok(Addresses {
        http: onprem.http.listen,
        cloud_http: cloud.http.listen,
        mllp: channel("emr")?,
        pharmacy_mllp: channel("pharmacy")?,
        payer_mllp: channel("payer")?,
        link: cloud.link.as_ref().map(|link| link.listen).ok_or_else(|| missing("link"))?,
    })
}

async fn addresses(args: &DemoArgs) -> Result<Addresses, Failure> {
    let link = match args.link {
        Some(link) => link,
        None => free_port().await?,
    };
    let addresses = Addresses::new(args.http, args.cloud_http, args.mllp, link)
        .ok_or_else(|| Failure::new(Exit::Usage, "--mllp leaves no two ports for pharmacy and payer"))?;
    if let Some(beyond) = addresses.all().iter().find(|address| !address.ip().is_loopback()) {
        return Err(Failure::new(Exit::Usage, format!("the demo listens on loopback only, not on {beyond}")));
    }
    Ok(addresses)
}

async fn free_port() -> Result<SocketAddr, Failure> {
    let bound = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let address = bound.and_then(|listener| listener.local_addr());
    address.map_err(|error| Failure::because(Exit::Unavailable, &error))
}
