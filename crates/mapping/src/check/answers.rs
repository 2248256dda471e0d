//! `ig.yaml`: why rows of the HL7 guide's tables have no other answer in this package.

use super::only_keys;
use crate::catalog::{Answer, At};
use crate::diagnostic::Findings;
use crate::yaml::{Kind, Node};

const KINDS: [&str; 4] = ["messages", "segments", "types", "codes"];

/// The entries of `ig.yaml`: kind, table, then a reason for the whole table or for each of its rows.
pub(crate) fn answers(node: Option<&Node>, findings: &mut Findings) -> Vec<Answer> {
    let Some(node) = node else { return Vec::new() };
    only_keys(node, &KINDS, findings);
    let mut found = Vec::new();
    for kind in node.entries() {
        for table in kind.value.entries() {
            let rows: Vec<(&str, &Node)> = match &table.value.kind {
                Kind::Map(_) => {
                    table.value.entries().iter().map(|row| (row.key.as_str(), &row.value)).collect()
                }
                Kind::Scalar(_) | Kind::List(_) => vec![("", &table.value)],
            };
            for (row, value) in rows {
                let Some(reason) = value.scalar().filter(|reason| !reason.is_empty()) else {
                    findings.add(value.place, "E0104", "a reason is expected here");
                    continue;
                };
                let file = usize::try_from(value.place.file).ok().and_then(|index| findings.files.get(index));
                found.push(Answer {
                    kind: kind.key.clone(),
                    table: table.key.clone(),
                    row: row.to_owned(),
                    reason: reason.to_owned(),
                    at: At { file: file.cloned().unwrap_or_default(), line: value.place.line },
                });
            }
        }
    }
    found
}
