//! The ledger as a process sees it: whole against the cloud's copy of its end, and broken where a copy was changed.

use std::path::Path;

use tokio::process::Command;

use super::Outcome;
use crate::demo::{Demo, leak};

/// Characters of a UUID as text.
const UUID_CHARS: usize = 36;

/// `audit verify` as a process, against the cloud node's checkpoint.
pub async fn verify(demo: &Demo, data: Option<&Path>, expected: i32) -> Outcome {
    let mut command = Command::new(std::env::current_exe().map_err(|error| error.to_string())?);
    command.args(["audit", "verify", "-c"]).arg(demo.place.folder.join("onprem.yaml"));
    command.arg("--witness").arg(format!("http://{}", demo.place.addresses.cloud_http));
    if let Some(data) = data {
        command.arg("--data").arg(data);
    }
    let output = command.output().await.map_err(|error| error.to_string())?;
    let words =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let is_witnessed = words.contains("witnessed to") || expected != 0;
    if output.status.code() == Some(expected) && is_witnessed {
        Ok(words.lines().map(str::trim).collect::<Vec<_>>().join("; "))
    } else {
        Err(format!("exit {:?}, not {expected}: {}", output.status.code(), words.trim_end()))
    }
}

/// One letter of one stored record changed behind the engine's back, wherever the file holds that record.
pub async fn tampered(demo: &Demo) -> Outcome {
    let copy = demo.place.folder.join("tampered");
    leak::copy_folder(&demo.place.folder.join("onprem/data"), &copy).map_err(|error| error.to_string())?;
    let file = copy.join("node.db");
    let mut bytes = std::fs::read(&file).map_err(|error| error.to_string())?;
    let needle = b"\"kind\":\"message.applied\",\"id\":\"";
    let at =
        bytes.windows(needle.len()).position(|window| window == needle).ok_or("no record to tamper with")?;
    let id_at = at + needle.len();
    let id = bytes.get(id_at..id_at + UUID_CHARS).ok_or("the record is cut off")?.to_vec();
    let places: Vec<usize> = bytes
        .windows(id.len())
        .enumerate()
        .filter(|(_, window)| *window == id)
        .map(|(place, _)| place)
        .collect();
    for place in places {
        let letter = bytes.get_mut(place).ok_or("the record is cut off")?;
        *letter = if *letter == b'0' { b'f' } else { b'0' };
    }
    std::fs::write(&file, bytes).map_err(|error| error.to_string())?;
    let outcome = verify(demo, Some(&copy), 10).await?;
    if outcome.contains("record ") {
        Ok(outcome)
    } else {
        Err(format!("the bad record is not named: {outcome}"))
    }
}
