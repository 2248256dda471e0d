//! The patients of a Group (R4, resource Group): its members that are active.

use fhir::{IssueCode, Reference};
use serde_json::Value;
use store::Stored;

use crate::capacity::EXPORT_MEMBERS_MAX;
use crate::outcome::Failure;

/// Ids of its patients, in parts that a search takes.
///
/// # Errors
/// 400 when there are more than [`EXPORT_MEMBERS_MAX`].
pub(super) fn members(group: &Stored) -> Result<Vec<Vec<String>>, Failure> {
    let group: Value = serde_json::from_slice(group.body.expose()).map_err(|_| {
        tracing::error!("a stored resource cannot be read");
        Failure::internal()
    })?;
    let members = group.get("member").and_then(Value::as_array).into_iter().flatten();
    let active = members.filter(|member| member.get("inactive").and_then(Value::as_bool) != Some(true));
    let ids: Vec<String> = active.filter_map(patient).collect();
    let parts = super::in_parts(ids);
    if parts.iter().map(Vec::len).sum::<usize>() > EXPORT_MEMBERS_MAX {
        let text = format!("a group of more than {EXPORT_MEMBERS_MAX} patients is not exported");
        return Err(Failure::bad_request(IssueCode::TooCostly, text));
    }
    Ok(parts)
}

fn patient(member: &Value) -> Option<String> {
    match Reference::parse(member.pointer("/entity/reference")?.as_str()?) {
        Reference::Relative { resource_type, id, .. } if resource_type.as_str() == "Patient" => {
            Some(id.to_owned())
        }
        _ => None,
    }
}
