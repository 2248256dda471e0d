//! The document against the router.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;

use super::operation::operations;
use crate::server::{Server, guarded, open};

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "patch", "trace", "connect"];

/// Method and route of everything that a router serves, as the router itself tells it.
fn routes(router: &Router<Arc<Server>>) -> BTreeSet<(String, String)> {
    let told = format!("{router:?}");
    let (served, paths) = told.split_once("node: Node { paths: {").expect("routes, then their paths");
    let (paths, _) = paths.split_once("} }").expect("an end of the paths");
    let mut all = BTreeSet::new();
    for place in paths.split("RouteId(").skip(1) {
        let (number, path) = place.split_once("): \"").expect("a path");
        let path = path.split('"').next().expect("an end of the path");
        let handlers =
            served.split(&format!("RouteId({number}): MethodRouter")).nth(1).expect("its handlers");
        let handlers = handlers.split("RouteId(").next().expect("an end of the handlers");
        for method in METHODS {
            let (_, handler) = handlers.split_once(&format!(" {method}: ")).expect("a handler or none");
            if !handler.starts_with("None") {
                all.insert((method.to_owned(), path.to_owned()));
            }
        }
    }
    all
}

#[test]
fn every_route_is_told_and_every_route_told_is_there() {
    for writes in [false, cfg!(feature = "clinical")] {
        let mut served = routes(&guarded(writes));
        served.extend(routes(&open()));
        let told: BTreeSet<(String, String)> =
            operations(writes).map(|row| (row.method.to_owned(), row.route.to_owned())).collect();
        assert!(served.len() >= 15, "{served:?}");
        assert_eq!(told, served);
        assert_eq!(operations(writes).count(), told.len(), "each once");
        let names: BTreeSet<&str> = operations(writes).map(|row| row.name).collect();
        assert_eq!(names.len(), told.len(), "each has a name of its own");
    }
}
