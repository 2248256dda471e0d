//! Gauges of the search parameters that packages define, and of how far their index is. Labels are resource types.

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
    looked_at: Family<Of, Gauge>,
    resources: Family<Of, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    r#type: &'static str,
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
            "Resources that the walk over a type has looked at which makes or removes rows of such parameters",
            self.looked_at.clone(),
        );
        to.register(
            "search_index_resources",
            "Resources of that type when the walk began",
            self.resources.clone(),
        );
    }

    pub(crate) fn show(&self, index: &SearchIndex) {
        let (all, ready) = index.counts();
        for (state, number) in [("ready", ready), ("building", all.saturating_sub(ready))] {
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            self.parameters.get_or_create(&State { state }).set(number);
        }
        self.looked_at.clear();
        self.resources.clear();
        for pending in index.pending() {
            let label = Of { r#type: pending.resource_type };
            self.looked_at.get_or_create(&label).set(whole(pending.done));
            self.resources.get_or_create(&label).set(whole(pending.total));
        }
    }
}
