//! One form for what says the same: no ids, no display texts, instants in UTC, extensions by their name.

use serde_json::{Map, Value};

/// A resource of either side, ready to be compared.
pub struct Resource {
    /// The resource type.
    pub kind: String,
    /// What others refer to it by: `Patient/x`, and its `fullUrl`.
    pub names: Vec<String>,
    /// The content in its one form.
    pub content: Value,
}

/// What a server or a converter adds of its own at the top of a resource.
const NO_CONTENT: [&str; 4] = ["resourceType", "meta", "id", "fullUrl"];

/// The resources of a Bundle, or of a list of resources.
pub fn resources(document: &Value) -> Vec<Resource> {
    let entries = document.get("entry").unwrap_or(document).as_array();
    let found = entries.into_iter().flatten().filter_map(|entry| {
        let resource = entry.get("resource").unwrap_or(entry);
        let kind = resource.get("resourceType")?.as_str()?.to_owned();
        let id = resource.get("id").and_then(Value::as_str);
        let names = id.map(|id| format!("{kind}/{id}"));
        let url = entry.get("fullUrl").and_then(Value::as_str).map(str::to_owned);
        Some(Resource {
            names: names.into_iter().chain(url).collect(),
            content: resource_content(resource),
            kind,
        })
    });
    found.collect()
}

fn resource_content(resource: &Value) -> Value {
    let Value::Object(all) = resource else { return resource.clone() };
    // A narrative says again what the elements say.
    let is_content = |key: &str, value: &Value| {
        !NO_CONTENT.contains(&key) && (key != "text" || value.get("div").is_none())
    };
    let kept = all.iter().filter(|(key, value)| is_content(key, value));
    content(&Value::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect()))
}

/// A value in its one form.
pub fn content(value: &Value) -> Value {
    match value {
        Value::Object(all) => object(all),
        Value::Array(items) => Value::Array(items.iter().map(content).collect()),
        Value::String(text) => Value::String(utc(text).unwrap_or_else(|| text.trim().to_owned())),
        Value::Number(number) => {
            Value::String(number.as_f64().map_or_else(|| number.to_string(), |number| number.to_string()))
        }
        Value::Bool(_) | Value::Null => value.clone(),
    }
}

fn object(all: &Map<String, Value>) -> Value {
    let mut kept = Map::new();
    for (key, value) in all {
        match (key.as_str(), value) {
            ("id", _) => {}
            ("display", _) if all.contains_key("code") || all.contains_key("reference") => {}
            ("extension" | "modifierExtension", Value::Array(items)) => extensions(key, items, &mut kept),
            _ => {
                kept.insert(key.clone(), content(value));
            }
        }
    }
    Value::Object(kept)
}

/// Extensions are told apart by the last part of their URL, and by its host where that is not HL7's.
fn extensions(key: &str, items: &[Value], kept: &mut Map<String, Value>) {
    for item in items {
        let url = item.get("url").and_then(Value::as_str).unwrap_or_default();
        let last = url.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let host = url.split("://").nth(1).and_then(|rest| rest.split('/').next());
        let name = match host.filter(|host| *host != "hl7.org") {
            Some(host) => format!("{host}:{last}"),
            None => last.to_owned(),
        };
        let Value::Object(mut one) = content(item) else { continue };
        one.remove("url");
        let list = kept.entry(format!("{key}({name})")).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            list.push(Value::Object(one));
        }
    }
}

/// A time with an offset, as the second in UTC; `None` for all other text.
pub fn utc(text: &str) -> Option<String> {
    let (date, rest) = text.split_once('T')?;
    let zone = rest.find(['Z', '+', '-'])?;
    let (time, offset) = rest.split_at(zone);
    let [year, month, day] = numbers(date, '-')?;
    let time = time.split('.').next()?;
    let [hour, minute, second] = numbers(time, ':').or_else(|| numbers(&format!("{time}:00"), ':'))?;
    let ahead = match offset {
        "Z" => 0,
        _ => {
            let (hours, minutes) = offset.get(1..)?.split_once(':')?;
            let minutes = hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?;
            if offset.starts_with('-') { -minutes } else { minutes }
        }
    };
    let total = (days(year, month, day) * 1_440 + hour * 60 + minute - ahead) * 60 + second;
    Some(format!("UTC {} {:05}", total.div_euclid(86_400), total.rem_euclid(86_400)))
}

fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let mut parts = text.split(separator).map(|part| part.parse::<i64>().ok());
    let all = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(all)
}

/// Days since 1970-01-01 of the proleptic Gregorian calendar, counted from March so that a leap day is the last of its year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_instant_has_one_form() {
        let same = ["2019-03-16T14:10:00-04:00", "2019-03-16T18:10:00Z", "2019-03-16T23:40:00.000+05:30"];
        assert!(same.iter().all(|text| utc(text) == utc(same[0])));
        assert_eq!(utc("1970-01-02T00:00Z").as_deref(), Some("UTC 1 00000"));
        assert_ne!(utc("2019-03-16T14:10:01-04:00"), utc(same[0]));
        assert_eq!((utc("2019-03-16"), utc("2019-03-16T14:10:00"), utc("Ward T-5")), (None, None, None));
    }

    #[test]
    fn ids_and_displays_of_codes_are_no_content() {
        let given = json!({"id": "a", "coding": [{"code": "F", "display": "Female"}], "who": {"display": "Dr. Fairweather"}});
        assert_eq!(
            content(&given),
            json!({"coding": [{"code": "F"}], "who": {"display": "Dr. Fairweather"}})
        );
    }

    #[test]
    fn extensions_go_by_their_name() {
        let given = json!({"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/note", "valueString": "x"}, {"url": "http://example.org/tribe"}]});
        assert_eq!(
            content(&given),
            json!({"extension(note)": [{"valueString": "x"}], "extension(example.org:tribe)": [{}]})
        );
    }
}
