//! Gauges of the search parameters that packages define, and of how far their index is.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use store::SearchIndex;

use crate::gauges::whole;

/// The gauges.
#[derive(Debug, Clone, Default)]
pub(crate) struct Indexing {
    parameters: Family<State, Gauge>,
    looked_at: Gauge,
    resources: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: &'static str,
}

impl Indexing {
    pub(crate) fn register(&self, to: &mut Registry) {
        to.register(
            "search_parameters",
            "Search parameters that packages define, by whether they can be asked for",
            self.parameters.clone(),
        );
        to.register(
            "search_index_looked_at",
            "Resources that the walks have looked at which make or remove rows of such parameters",
            self.looked_at.clone(),
        );
        to.register(
            "search_index_resources",
            "Resources that those walks have to look at; 0 when none is open",
            self.resources.clone(),
        );
        self.show(&SearchIndex::default());
    }

    pub(crate) fn show(&self, index: &SearchIndex) {
        let (all, ready) = index.counts();
        for (state, number) in [("ready", ready), ("building", all.saturating_sub(ready))] {
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            self.parameters.get_or_create(&State { state }).set(number);
        }
        let pending = index.pending();
        self.looked_at.set(whole(pending.iter().map(|one| one.done).sum()));
        self.resources.set(whole(pending.iter().map(|one| one.total).sum()));
    }
}
