//! The explanation as JSON.

use mapping::{Miss, Step, Why};
use serde_json::{Value, json};

use super::choice::Chosen;
use super::{Explanation, fate_word};

/// One object with what was chosen.
pub fn object(all: &Explanation<'_>, chosen: &Chosen<'_, '_>) -> Value {
    let leaves: Vec<Value> = chosen
        .leaves
        .iter()
        .map(|leaf| {
            json!({"path": leaf.path, "value": leaf.value, "bytes": [leaf.span.start, leaf.span.end],
                "fate": fate_word(leaf.fate), "reason": leaf.reason,
                "elements": all.steps_of(leaf).map(step).collect::<Vec<_>>(),
                "misses": all.misses_of(leaf).map(miss).collect::<Vec<_>>()})
        })
        .collect();
    json!({"message_type": all.message_type, "resources": all.resources, "leaves": leaves,
        "elements": chosen.steps.iter().map(|one| step(one)).collect::<Vec<_>>(),
        "misses": chosen.misses.iter().map(|one| miss(one)).collect::<Vec<_>>(), "is_cut": all.is_cut})
}

fn step(step: &Step) -> Value {
    json!({"resource": step.resource, "element": step.element, "value": step.output, "source": step.source_path,
        "bytes": step.span.map(|span| [span.start, span.end]), "input": step.input, "rule": step.rule,
        "conversions": step.conversions,
        "code_table": step.code_table.as_ref().map(|(name, hit)| json!({"name": name, "hit": hit}))})
}

fn miss(miss: &Miss) -> Value {
    let reads: Vec<&str> = miss.reads.iter().map(|read| read.path.as_str()).collect();
    let values = match &miss.why {
        Why::Condition { values, .. } => json!(values),
        _ => Value::Null,
    };
    json!({"resource": miss.resource, "element": miss.element, "rule": miss.rule, "reads": reads,
        "why": miss.why.code(), "text": miss.why.to_string(), "values": values})
}
