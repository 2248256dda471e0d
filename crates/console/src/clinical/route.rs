//! Why each resource may go where, or stays: the rules from the first to the last.

use audit::Record;
use serde_json::Value;

use crate::clinical::panels::{Found, PARTS_SHOWN_MAX, bodies};
use crate::clinical::routing::{Route, Routing, RuleTried};

/// The route panel.
pub(crate) struct RoutePanel {
    /// Nothing of it is stored: what would be decided.
    pub(crate) is_supposed: bool,
    pub(crate) groups: Vec<RouteGroup>,
    /// What was decided when it was applied: destination, decision, how many.
    pub(crate) decided: Vec<(String, String, String)>,
    pub(crate) policy: String,
}

/// Resources of one message about which the same was said for the same reasons.
pub(crate) struct RouteGroup {
    pub(crate) resources: Vec<String>,
    pub(crate) routing: Routing,
}

impl RouteGroup {
    /// What became of a rule, in words.
    pub(crate) fn outcome(&self, rule: &RuleTried) -> String {
        match (rule.fails.is_empty(), rule.permits) {
            (true, true) => "matches, permits".to_owned(),
            (true, false) => "matches, denies".to_owned(),
            (false, _) => format!("does not match: {}", rule.fails.join(", ")),
        }
    }

    /// Why it stays, in words.
    pub(crate) fn reason(&self) -> &'static str {
        match self.routing.reason {
            "" => "",
            "rule-denies" => "a rule denies it, and a rule that denies wins",
            "no-rule-permits" => "no rule permits it, and what nothing permits stays",
            "unlabelled" => "nobody labelled it",
            _ => "the destination is not known",
        }
    }
}

/// Routes of what a message wrote; of what it would write, when nothing of it is stored.
pub(crate) fn routes(route: &dyn Route, found: &Found, made: &[Value]) -> RoutePanel {
    let stored = bodies(found);
    let live = found.resources.iter().filter(|stored| !stored.deleted);
    let written: Vec<&Value> = live
        .filter_map(|row| stored.get(&(crate::clinical::panels::name_of(&row.key), row.version)))
        .collect();
    let is_supposed = written.is_empty();
    let resources: Vec<&Value> = if is_supposed { made.iter().collect() } else { written };
    let mut groups: Vec<RouteGroup> = Vec::new();
    for resource in resources.into_iter().take(PARTS_SHOWN_MAX) {
        let name = resource.get("resourceType").and_then(Value::as_str).unwrap_or("Resource");
        for routing in route.routes(resource) {
            match groups.iter_mut().find(|group| group.routing == routing) {
                Some(group) => group.resources.push(name.to_owned()),
                None => groups.push(RouteGroup { resources: vec![name.to_owned()], routing }),
            }
        }
    }
    for group in &mut groups {
        group.resources = counted(std::mem::take(&mut group.resources));
    }
    RoutePanel { is_supposed, groups, decided: decided(found), policy: route.policy_hash().to_owned() }
}

/// `Observation × 6`.
fn counted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    let mut told: Vec<(String, usize)> = Vec::new();
    for name in names {
        match told.last_mut() {
            Some((last, count)) if *last == name => *count += 1,
            _ => told.push((name, 1)),
        }
    }
    told.into_iter()
        .map(|(name, count)| if count > 1 { format!("{name} \u{d7} {count}") } else { name })
        .collect()
}

fn decided(found: &Found) -> Vec<(String, String, String)> {
    let rows = found.detail.iter().flat_map(|detail| &detail.records);
    let records = rows.filter_map(|row| Record::from_bytes(&row.record).ok());
    let lines: Vec<String> = records
        .flat_map(|record| record.objects().to_vec())
        .filter(|(name, _)| name == "decision")
        .map(|(_, line)| line)
        .collect();
    let parts = lines.iter().filter_map(|line| {
        let (destination, rest) = line.split_once('|')?;
        let (decision, count) = rest.rsplit_once('|')?;
        Some((destination.to_owned(), decision.to_owned(), count.to_owned()))
    });
    parts.collect()
}
