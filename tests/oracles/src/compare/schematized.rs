//! Whistle's inputs: HL7 messages, segments or values as JSON, with the number of a part as its key. Written back as ER7.

use hl7v2::dictionary::{self, Group, Member};
use serde_json::{Map, Value};

/// A message that carries an input.
pub struct Carried {
    /// The message.
    pub er7: String,
    /// The input is a whole message: all that is made of it counts.
    pub whole: bool,
    /// The input is one value, which becomes this element of the first resource of this type.
    pub element: Option<(&'static str, &'static str)>,
    /// The output's type, if it is one value.
    pub data_type: String,
}

const HEADER: &str = "MSH|^~\\&|WHISTLE|A|TIDEGATE|B|20200101000000+0000||";
const PATIENT: &str = "PID|1||1^^^A^MR";

/// Where a value of a data type travels: the name of the input, the field, and the element that it becomes.
const CARRIERS: [(&str, &str, &str, &str); 14] = [
    ("cwe_codeableconcept", "OBX-3", "Observation", "/code"),
    ("cne_codeableconcept", "OBX-3", "Observation", "/code"),
    ("cwe_coding", "OBX-3", "Observation", "/code/coding"),
    ("cx_identifier", "PID-3", "Patient", "/identifier"),
    ("xpn_humanname", "PID-5", "Patient", "/name"),
    ("xad_address", "PID-11", "Patient", "/address"),
    ("xtn_contactpoint", "PID-13", "Patient", "/telecom"),
    ("dln_identifier", "PID-20", "Patient", "/identifier"),
    ("ei_identifier", "OBX-21", "Observation", "/identifier"),
    ("cq_quantity", "SPM-12", "Specimen", "/collection/quantity"),
    ("sn_quantity", "OBX-5", "Observation", "/valueQuantity"),
    ("sn_range", "OBX-5", "Observation", "/valueRange"),
    ("sn_ratio", "OBX-5", "Observation", "/valueRatio"),
    ("nte_annotation", "NTE", "Observation", "/note"),
];

/// Whole resources that come of one value.
const RESOURCE_CARRIERS: [(&str, &str); 5] = [
    ("xcn_practitioner", "OBX-16"),
    ("cnn_practitioner", "OBR-32"),
    ("ndl_practitionerrole", "OBR-32"),
    ("xon_organization", "OBX-23"),
    ("pl_location", "PV1-3"),
];

/// The message for an input, by the name of its file.
///
/// # Errors
/// Why there is none.
pub fn message(input: &Value, file: &str) -> Result<Carried, String> {
    let fields = input.as_object().ok_or("not an object")?;
    let stem = file.rsplit('/').next().and_then(|name| name.split('.').next()).unwrap_or_default();
    if let Some((name, content)) =
        fields.iter().find(|(name, _)| name.contains('_') && dictionary::structure(name).is_some())
    {
        let structure = dictionary::structure(name).ok_or("no structure")?;
        let (mut lines, mut left) = (Vec::new(), Vec::new());
        walk(structure, content.as_object().ok_or("not an object")?, &mut lines, &mut left);
        if !left.is_empty() {
            return Err(format!("not in the grammar: {}", left.join(" ")));
        }
        return Ok(Carried { er7: lines.join("\r"), whole: true, element: None, data_type: String::new() });
    }
    if let Some((_, field, kind, element)) = CARRIERS.iter().find(|(name, ..)| *name == stem) {
        let data_type = stem.split_once('_').map(|(_, name)| name.to_owned()).unwrap_or_default();
        return Ok(Carried {
            er7: carried(fields, field)?,
            whole: false,
            element: Some((kind, element)),
            data_type,
        });
    }
    if let Some((_, field)) = RESOURCE_CARRIERS.iter().find(|(name, _)| *name == stem) {
        return Ok(Carried {
            er7: carried(fields, field)?,
            whole: false,
            element: None,
            data_type: String::new(),
        });
    }
    let er7 = segments(fields)?;
    Ok(Carried { er7, whole: false, element: None, data_type: String::new() })
}

/// A value in a field of a message of our own.
fn carried(fields: &Map<String, Value>, place: &str) -> Result<String, String> {
    let (_, value) = fields.iter().find(|(name, _)| name.len() <= 3).ok_or("no value")?;
    let (segment, number) = place.split_once('-').unwrap_or((place, ""));
    let line = match number.parse::<usize>() {
        Ok(number) => format!("{segment}{}{}", "|".repeat(number), field(value)),
        Err(_) => segment_line(segment, value.as_object().ok_or("not an object")?),
    };
    let (mut patient, mut order, mut result) =
        (PATIENT.to_owned(), "OBR|1||7|X^X^L".to_owned(), "OBX|1|ST|X^X^L||".to_owned());
    let mut after = None;
    match segment {
        "PID" if number == "3" => patient = line,
        "PID" => {
            patient = format!("{PATIENT}{}", line.trim_start_matches("PID").get(3..).unwrap_or_default())
        }
        "OBR" => order = format!("{order}{}", line.trim_start_matches("OBR").get(4..).unwrap_or_default()),
        "OBX" if number == "3" => result = format!("OBX|1|ST|{}||x", field(value)),
        "OBX" if number == "5" => result = format!("OBX|1|SN|X^X^L||{}", field(value)),
        "OBX" => {
            result =
                format!("OBX|1|ST|X^X^L||x{}", line.trim_start_matches("OBX").get(5..).unwrap_or_default())
        }
        _ => after = Some(line),
    }
    let visit =
        (segment == "PV1").then(|| after.take()).flatten().map(|line| line.replacen("PV1||", "PV1||I", 1));
    let all = [
        Some(format!("{HEADER}ORU^R01^ORU_R01|1|P|2.8")),
        Some(patient),
        visit,
        Some(order),
        Some(result),
        after,
    ];
    Ok(all.into_iter().flatten().collect::<Vec<_>>().join("\r"))
}

/// Segments in a message of our own: the first structure that has a place for them.
fn segments(fields: &Map<String, Value>) -> Result<String, String> {
    let (mut lines, mut names) = (Vec::new(), Vec::new());
    for (key, value) in fields {
        // Beside the segments stand references and resources that the test of theirs hands in ready.
        let name = key.get(..3).unwrap_or_default();
        if dictionary::segment(name).is_none() {
            continue;
        }
        for one in value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice) {
            if let Some(one) = one.as_object() {
                lines.push(segment_line(name, one));
                names.push(name);
            }
        }
    }
    let types = [
        "ADT^A01^ADT_A01",
        "ORU^R01^ORU_R01",
        "VXU^V04^VXU_V04",
        "RDE^O11^RDE_O11",
        "RAS^O17^RAS_O17",
        "SIU^S12^SIU_S12",
        "PPR^PC1^PPR_PC1",
        "PGL^PC6^PGL_PC6",
    ];
    if names.is_empty() {
        return Err("no field of ours carries such a value alone".to_owned());
    }
    let kind = types.iter().find(|kind| {
        let structure = kind.rsplit('^').next().and_then(dictionary::structure);
        structure.is_some_and(|group| names.iter().all(|name| *name == "MSH" || holds(group, name)))
    });
    let kind = kind.ok_or(format!("no message of our own holds {}", names.join(" ")))?;
    let order = kind
        .rsplit('^')
        .next()
        .and_then(dictionary::structure)
        .map(|group| places(group))
        .unwrap_or_default();
    if !names.contains(&"MSH") {
        lines.push(format!("{HEADER}{kind}|1|P|2.8"));
    }
    if !names.contains(&"PID") {
        lines.push(PATIENT.to_owned());
    }
    lines.sort_by_key(|line| order.iter().rposition(|name| line.starts_with(name)));
    Ok(lines.join("\r"))
}

fn places(group: &Group) -> Vec<&'static str> {
    let members = group.members.iter().flat_map(|member| match member {
        Member::Segment { name, .. } => vec![*name],
        Member::Group(inner) => places(inner),
    });
    members.collect()
}

fn holds(group: &Group, segment: &str) -> bool {
    places(group).contains(&segment)
}

/// Writes the segments of a group in the order of the grammar; what the grammar has no place for is left over.
fn walk(group: &Group, given: &Map<String, Value>, lines: &mut Vec<String>, left: &mut Vec<String>) {
    let mut taken: Vec<&String> = Vec::new();
    for member in group.members {
        let name = match member {
            Member::Segment { name, .. } => *name,
            Member::Group(inner) => inner.name,
        };
        // A segment that stands at several places of the group has a number behind its name.
        let key = given.keys().find(|key| {
            !taken.contains(key)
                && (key.as_str() == name
                    || key
                        .rsplit_once('_')
                        .is_some_and(|(stem, number)| stem == name && number.parse::<u8>().is_ok()))
        });
        let Some(key) = key else {
            // A choice of segments is a group of ours, but not always of theirs.
            if let Member::Group(inner) = member
                && inner.members.iter().any(|inner| matches!(inner, Member::Segment { name, .. } if given.contains_key(*name) && !taken.iter().any(|key| key == name)))
            {
                let mut ignored = Vec::new();
                walk(inner, given, lines, &mut ignored);
                taken.extend(given.keys().filter(|key| places(inner).contains(&key.as_str())));
            }
            continue;
        };
        taken.push(key);
        let value = &given[key];
        for one in value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice) {
            match (member, one.as_object()) {
                (_, None) => {}
                (Member::Segment { name, .. }, Some(fields)) => lines.push(segment_line(name, fields)),
                (Member::Group(inner), Some(fields)) => walk(inner, fields, lines, left),
            }
        }
    }
    let rest = given.iter().filter(|(key, value)| !taken.contains(key) && !value.is_null());
    left.extend(rest.map(|(key, _)| format!("{}.{key}", group.name)));
}

fn segment_line(name: &str, fields: &Map<String, Value>) -> String {
    // MSH-1 is the separator and MSH-2 the delimiters: neither is escaped.
    let header = name == "MSH";
    let last = numbers(fields).max().unwrap_or(0);
    let texts = (1..=last).map(|number| match (header, number, fields.get(&number.to_string())) {
        (true, 2, _) => "^~\\&".to_owned(),
        (_, _, Some(value)) => field(value),
        (_, _, None) => String::new(),
    });
    let texts: Vec<String> = texts.skip(usize::from(header)).collect();
    format!("{name}|{}", texts.join("|"))
}

fn numbers(parts: &Map<String, Value>) -> impl Iterator<Item = usize> + '_ {
    parts.keys().filter_map(|key| key.parse::<usize>().ok())
}

fn field(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            items.iter().map(|item| parts(item, &["^", "&"])).collect::<Vec<_>>().join("~")
        }
        one => parts(one, &["^", "&"]),
    }
}

/// A field, component or subcomponent; below the last delimiter only the first part counts.
fn parts(value: &Value, delimiters: &[&str]) -> String {
    match (value, delimiters) {
        (Value::Object(given), [delimiter, below @ ..]) => {
            let last = numbers(given).max().unwrap_or(0);
            let texts = (1..=last).map(|number| {
                given.get(&number.to_string()).map_or(String::new(), |part| parts(part, below))
            });
            texts.collect::<Vec<_>>().join(delimiter)
        }
        (Value::Object(given), []) => given.get("1").map_or(String::new(), |part| parts(part, &[])),
        (Value::Array(items), _) => items.first().map_or(String::new(), |item| parts(item, delimiters)),
        (Value::String(text), _) => escaped(text),
        (Value::Null, _) => String::new(),
        (other, _) => other.to_string(),
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\E\\"),
            '|' => out.push_str("\\F\\"),
            '^' => out.push_str("\\S\\"),
            '&' => out.push_str("\\T\\"),
            '~' => out.push_str("\\R\\"),
            '\r' | '\n' => out.push_str("\\.br\\"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_segment_is_written_back() {
        let given = json!({"0": "PID", "3": [{"1": "7", "4": {"1": "A", "2": "1.2"}}, {"1": "8"}], "5": null, "8": "F|M"});
        let Value::Object(fields) = given else { panic!("an object was written") };
        assert_eq!(segment_line("PID", &fields), "PID|||7^^^A&1.2~8|||||F\\F\\M");
    }

    #[test]
    fn groups_follow_the_grammar_and_nothing_is_left_unsaid() {
        let given = json!({"ADT_A01": {"PV1": {"2": "I"}, "PID": {"3": [{"1": "7"}]}, "MSH": {"1": "|", "9": {"1": "ADT"}},
            "INSURANCE": [{"IN1": {"1": "1"}}]}});
        let carried = message(&given, "adt_a01.hl7.fhir.input.json").map(|carried| carried.er7);
        assert_eq!(carried.as_deref(), Ok("MSH|^~\\&|||||||ADT\rPID|||7\rPV1||I\rIN1|1"));
        assert!(message(&json!({"ADT_A01": {"XYZ": {"1": "1"}}}), "a").is_err());
    }
}
