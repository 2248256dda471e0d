//! `tidegate demo`: one node of each role on this machine, and the story of the product between them.

mod check;
mod feed;
mod http;
mod leak;
mod nodes;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cli::DemoArgs;
use crate::init::{Addresses, Shown, init};
use crate::{Exit, Failure, clock, keys};
use http::Http;
use nodes::Node;

/// What a check or a feed needs to know of the running demo.
pub(crate) struct Demo {
    folder: PathBuf,
    addresses: Addresses,
    onprem: Http,
    cloud: Http,
    shown: Shown,
}

/// Runs the command.
pub async fn run(args: DemoArgs) -> Result<(), Failure> {
    let addresses = addresses(&args).await?;
    let (folder, is_temporary) = folder(&args)?;
    let result = in_folder(&args, addresses, &folder).await;
    if is_temporary && result.is_ok() {
        std::fs::remove_dir_all(&folder).map_err(|error| Failure::because(Exit::Io, &error))?;
    }
    result
}

async fn in_folder(args: &DemoArgs, addresses: Addresses, folder: &Path) -> Result<(), Failure> {
    let absolute = |path: &Path| {
        std::path::absolute(path)
            .map_err(|error| Failure::new(Exit::Io, format!("{}: {error}", path.display())))
    };
    let (mappings, profiles) = (absolute(&args.mappings)?, absolute(&args.profiles)?);
    let shown = init(folder, &addresses, &mappings, &profiles)
        .map_err(|error| Failure::because(Exit::Configuration, &error))?;
    let onprem = Http::new(addresses.http, &shown.onprem_token);
    let cloud = Http::new(addresses.cloud_http, &shown.cloud_token);
    let mut cloud_node = Node::start(folder, "cloud")?;
    let mut onprem_node = Node::start(folder, "onprem")?;
    cloud_node.ready(&cloud).await?;
    onprem_node.ready(&onprem).await?;
    let demo = Demo { folder: folder.to_owned(), addresses, onprem, cloud, shown };
    write_description(&demo, &onprem_node, &cloud_node)?;
    if args.check {
        return check::run(&demo, onprem_node, cloud_node).await;
    }
    announce(&demo);
    tokio::select! {
        ended = feed::run(demo.addresses.mllp, !args.no_feed) => ended?,
        _ = tokio::signal::ctrl_c() => {}
        () = stdin_closed() => {}
    }
    onprem_node.stop().await?;
    cloud_node.stop().await
}

/// The demo's own parent may end it by closing its stdin; a terminal never does.
async fn stdin_closed() {
    use std::io::IsTerminal as _;
    use tokio::io::AsyncReadExt as _;
    if std::io::stdin().is_terminal() {
        std::future::pending::<()>().await;
    }
    let mut buffer = [0; 64];
    let mut stdin = tokio::io::stdin();
    while stdin.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
}

async fn addresses(args: &DemoArgs) -> Result<Addresses, Failure> {
    let link = match args.link {
        Some(link) => link,
        None => free_port().await?,
    };
    let addresses = Addresses { http: args.http, cloud_http: args.cloud_http, mllp: args.mllp, link };
    let all = [addresses.http, addresses.cloud_http, addresses.mllp, addresses.link];
    if let Some(beyond) = all.iter().find(|address| !address.ip().is_loopback()) {
        return Err(Failure::new(Exit::Usage, format!("the demo listens on loopback only, not on {beyond}")));
    }
    Ok(addresses)
}

async fn free_port() -> Result<SocketAddr, Failure> {
    let bound = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let address = bound.and_then(|listener| listener.local_addr());
    address.map_err(|error| Failure::because(Exit::Unavailable, &error))
}

fn folder(args: &DemoArgs) -> Result<(PathBuf, bool), Failure> {
    match &args.data {
        Some(folder) if folder.join("onprem.yaml").exists() => {
            let words =
                format!("{} holds a demo already; name another folder or remove it", folder.display());
            Err(Failure::new(Exit::Usage, words))
        }
        Some(folder) => Ok((folder.clone(), false)),
        None => Ok((std::env::temp_dir().join(format!("tidegate-demo-{}", clock::random_hex(6))), true)),
    }
}

/// `DIR/demo.json`, user-only: what a script needs to talk to the demo.
fn write_description(demo: &Demo, onprem: &Node, cloud: &Node) -> Result<(), Failure> {
    let Addresses { http, cloud_http, mllp, .. } = &demo.addresses;
    let description = json!({
        "onprem_url": format!("http://{http}"), "cloud_url": format!("http://{cloud_http}"), "mllp": mllp.to_string(),
        "onprem_token": demo.shown.onprem_token, "cloud_token": demo.shown.cloud_token,
        "login_url": login_url(demo), "onprem_pid": onprem.pid(), "cloud_pid": cloud.pid(),
    });
    let text = serde_json::to_vec_pretty(&description).map_err(|error| Failure::because(Exit::Io, &error))?;
    keys::write_new(&demo.folder, "demo.json", &text).map_err(|error| Failure::because(Exit::Io, &error))
}

fn login_url(demo: &Demo) -> String {
    // The code is in the fragment's place of a query, used once and worthless afterwards.
    format!("http://{}/login?code={}", demo.addresses.http, demo.shown.login_code)
}

fn announce(demo: &Demo) {
    let Addresses { http, cloud_http, mllp, .. } = &demo.addresses;
    crate::commands::words(&format!(
        "on-prem http://{http}   cloud http://{cloud_http}   MLLP {mllp}   (all data synthetic)\n\
         console, sign in once:  {}\n\
         tokens and addresses:   {}\n\
         ends with Ctrl-C",
        login_url(demo),
        demo.folder.join("demo.json").display()
    ));
}
