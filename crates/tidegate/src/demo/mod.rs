//! `tidegate demo`: one node of each role on this machine, and the story of the product between them.

mod check;
mod feed;
mod http;
mod leak;
mod nodes;
mod place;

use crate::cli::DemoArgs;
use crate::init::Addresses;
use crate::{Exit, Failure};
pub(crate) use http::Http;
pub(crate) use nodes::{Node, Share};
use place::Place;

/// What a check or a feed needs to know of the running demo.
pub(crate) struct Demo {
    place: Place,
    onprem: Http,
    cloud: Http,
}

/// Runs the command.
pub async fn run(args: DemoArgs) -> Result<(), Failure> {
    let place = Place::of(&args).await?;
    let (folder, is_temporary) = (place.folder.clone(), place.is_temporary);
    let result = at(&args, place).await;
    if is_temporary && result.is_ok() {
        std::fs::remove_dir_all(&folder).map_err(|error| Failure::because(Exit::Io, &error))?;
    }
    result
}

async fn at(args: &DemoArgs, place: Place) -> Result<(), Failure> {
    let onprem = Http::new(place.addresses.http, &place.shown.onprem_token);
    let cloud = Http::new(place.addresses.cloud_http, &place.shown.cloud_token);
    let mut cloud_node = Node::start(&place.folder, "cloud", Share::Even)?;
    let mut onprem_node = Node::start(&place.folder, "onprem", Share::Even)?;
    cloud_node.ready(&cloud).await?;
    onprem_node.ready(&onprem).await?;
    place.describe(&onprem_node, &cloud_node)?;
    let demo = Demo { place, onprem, cloud };
    if args.check {
        return check::run(&demo, onprem_node, cloud_node).await;
    }
    announce(&demo);
    tokio::select! {
        ended = feed::run(&demo.place.addresses, demo.place.seed, !args.no_feed) => ended?,
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

fn announce(demo: &Demo) {
    let Addresses { http, cloud_http, mllp, pharmacy_mllp, payer_mllp, .. } = &demo.place.addresses;
    crate::commands::words(&format!(
        "on-prem http://{http}   cloud http://{cloud_http}   (all data synthetic)\n\
         MLLP: EMR and laboratory {mllp}   pharmacy {pharmacy_mllp}   payer {payer_mllp}\n\
         console, sign in once:  {}\n\
         tokens and addresses:   {}\n\
         ends with Ctrl-C",
        demo.place.login_url(),
        demo.place.folder.join(place::DESCRIPTION).display()
    ));
}
