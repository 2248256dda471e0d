//! From a file to a [`Config`], or to what is wrong with it: file, line, column, cause and fix.

use std::path::{Path, PathBuf};

use super::{Config, Role, acknowledging, binds, channels, destinations, limits, smart, storage};

/// What is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where (`file:line:column` when known, else the file or key).
    pub place: String,
    /// What is wrong.
    pub cause: String,
    /// What to do.
    pub fix: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}\n  fix: {}", self.place, self.cause, self.fix)
    }
}

/// Reads, resolves paths against the file's folder, and checks what needs no other file.
pub fn load(file: &Path) -> Result<Config, Vec<Problem>> {
    let place = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| {
        let fix = "name a readable file; `tidegate init DIR` makes a working pair".to_owned();
        vec![Problem { place: place.clone(), cause: format!("cannot be read: {error}"), fix }]
    })?;
    let mut config = parse(&text, &place).map_err(|problem| vec![problem])?;
    resolve(&mut config, file.parent().unwrap_or(Path::new(".")));
    let problems = check(&config, &place);
    if problems.is_empty() { Ok(config) } else { Err(problems) }
}

fn parse(text: &str, place: &str) -> Result<Config, Problem> {
    serde_saphyr::from_str(text).map_err(|error| {
        let at = error.location().map(|at| format!(":{}:{}", at.line(), at.column())).unwrap_or_default();
        let rendered = error.to_string();
        let cause = rendered.lines().next().unwrap_or_default().to_owned();
        let fix = "the keys and their meaning are in deploy/onprem.yaml and deploy/cloud.yaml".to_owned();
        Problem { place: format!("{place}{at}"), cause, fix }
    })
}

fn resolve(config: &mut Config, folder: &Path) {
    let mut paths: Vec<&mut PathBuf> = vec![&mut config.data, &mut config.keys, &mut config.profiles];
    paths.extend(config.mappings.as_mut());
    paths.extend(config.store.iter_mut().flat_map(storage::paths));
    for drop in &mut config.folders {
        paths.extend([&mut drop.path, &mut drop.archive, &mut drop.errors]);
    }
    let mut every_tls: Vec<_> = config.http.tls.iter_mut().collect();
    for mllp in &mut config.mllp {
        every_tls.extend(mllp.tls.as_mut());
        if let Some(outgoing) = &mut mllp.application_acknowledgments {
            paths.extend(
                [&mut outgoing.ca, &mut outgoing.certificate, &mut outgoing.key].into_iter().flatten(),
            );
        }
    }
    if let Some(outgoing) = &mut config.http.application_acknowledgments {
        paths.extend([&mut outgoing.ca, &mut outgoing.certificate, &mut outgoing.key].into_iter().flatten());
    }
    for tls in every_tls {
        paths.extend([&mut tls.certificate, &mut tls.key]);
        paths.extend(tls.client_ca.as_mut());
    }
    for tls in config.destinations.values_mut().filter_map(|dial| dial.tls.as_mut()) {
        paths.push(&mut tls.ca);
        paths.extend(tls.certificate.as_mut());
        paths.extend(tls.key.as_mut());
    }
    paths.extend(config.smart.paths());
    paths.extend(&mut config.search_parameters.packages);
    for path in paths {
        *path = folder.join(&*path);
    }
}

fn check(config: &Config, place: &str) -> Vec<Problem> {
    let mut problems = binds::check(config, place);
    problems.extend(channels::check(&config.mllp, place));
    problems.extend(acknowledging::check(config, place));
    problems.extend(destinations::check(&config.destinations, place));
    problems.extend(limits::check(&config.http, place));
    problems.extend(smart::check(&config.smart, place));
    problems.extend(storage::check(config, place));
    let mut wrong = |key: &str, cause: &str, fix: &str| {
        let place = format!("{place}: {key}");
        problems.push(Problem { place, cause: cause.to_owned(), fix: fix.to_owned() });
    };
    let is_name =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if !is_name(&config.node) {
        wrong("node", "is no name", "use letters, digits and `-`");
    }
    check_folders(config, &mut wrong);
    check_charsets(config, &mut wrong);
    check_names(config, &mut wrong);
    check_retention(config, &mut wrong);
    check_role(config, &mut wrong);
    problems
}

/// Takes what is wrong: the key, the cause, the fix.
type Wrong<'a> = &'a mut dyn FnMut(&str, &str, &str);

fn check_folders(config: &Config, wrong: Wrong<'_>) {
    for drop in &config.folders {
        let key = format!("folders.{}", drop.name);
        if drop.path == drop.archive || drop.path == drop.errors || drop.archive == drop.errors {
            wrong(&key, "has one folder for two purposes", "name three: `path`, `archive`, `errors`");
        }
        if drop.message_bytes_max == 0 {
            wrong(&key, "takes no message", "give `message_bytes_max` a number of bytes, or leave it out");
        }
    }
}

fn check_charsets(config: &Config, wrong: Wrong<'_>) {
    let charsets = config.mllp.iter().map(|mllp| ("mllp", &mllp.name, &mllp.default_charset));
    let dropped = config.folders.iter().map(|drop| ("folders", &drop.name, &drop.default_charset));
    for (kind, name, label) in charsets.chain(dropped) {
        if label.as_deref().is_some_and(|label| !channels::is_charset(label)) {
            let fix = "use a code of table 0211, as `8859/1` or `UNICODE UTF-8`; UTF-16 cannot hold HL7 v2";
            wrong(&format!("{kind}.{name}.default_charset"), "is no character set that can be read", fix);
        }
    }
}

fn check_names(config: &Config, wrong: Wrong<'_>) {
    let mut channels: Vec<&str> = config.mllp.iter().map(|mllp| mllp.name.as_str()).collect();
    // What is posted to /hl7v2 is a channel of this name.
    channels.push("http");
    channels.extend(config.folders.iter().map(|drop| drop.name.as_str()));
    channels.sort_unstable();
    for pair in channels.windows(2).filter(|pair| pair.first() == pair.last()) {
        let cause = format!("`{}` names two channels", pair.first().unwrap_or(&""));
        wrong("mllp, folders", &cause, "give each channel a name of its own");
    }
}

fn check_retention(config: &Config, wrong: Wrong<'_>) {
    if config.retention.is_some_and(|retention| retention.journal_months == 0) {
        let fix = "use 1 at least: repetitions are known by the current and the previous month";
        wrong("retention.journal_months", "is 0", fix);
    }
    if config.retention.is_some_and(|retention| retention.forward_days == 0) {
        let fix = "use 1 at least, or leave it out for 90";
        wrong("retention.forward_days", "is 0", fix);
    }
}

/// What belongs to the other role.
fn check_role(config: &Config, wrong: Wrong<'_>) {
    match config.role {
        Role::Clinical => {
            if config.mappings.is_none() {
                wrong("mappings", "is missing", "name the folder of the mapping package");
            }
            if config.link.is_some() {
                wrong("link", "belongs to the portal role", "remove it: nothing dials in to an on-prem node");
            }
        }
        Role::Portal => {
            if config.link.is_none() {
                wrong("link", "is missing", "add `link: {listen: …, destination: …, region: …}`");
            }
            if config.retention.is_some() {
                wrong("retention", "belongs to the clinical role", "remove it: a cloud node has no journal");
            }
            if config.demo {
                wrong("demo", "belongs to the clinical role", "remove it");
            }
            if !config.mllp.is_empty() {
                wrong("mllp", "belongs to the clinical role", "remove it: a cloud node takes no HL7 v2");
            }
            if !config.folders.is_empty() {
                wrong("folders", "belongs to the clinical role", "remove it: a cloud node takes no HL7 v2");
            }
            if config.http.application_acknowledgments.is_some() {
                let fix = "remove it: a cloud node takes no HL7 v2";
                wrong("http.application_acknowledgments", "belongs to the clinical role", fix);
            }
            if !config.destinations.is_empty() {
                wrong("destinations", "belongs to the clinical role", "remove it: a cloud node dials nobody");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLINICAL: &str = "role: clinical\nnode: onprem\ndata: d\nkeys: k\nhttp: {listen: 127.0.0.1:8080}\n\
                            mappings: m\nprofiles: p\n";

    fn problems(text: &str) -> Vec<Problem> {
        match parse(text, "f.yaml") {
            Ok(config) => check(&config, "f.yaml"),
            Err(problem) => vec![problem],
        }
    }

    #[test]
    fn a_plain_configuration_is_right() {
        assert_eq!(problems(CLINICAL), []);
    }

    #[test]
    fn an_unknown_key_names_its_line() {
        let found = problems(&CLINICAL.replace("node:", "nodde: x\nnode:"));
        assert!(
            matches!(found.as_slice(), [p] if p.place.starts_with("f.yaml:2") && p.cause.contains("nodde")),
            "{found:?}"
        );
    }

    #[test]
    fn listeners_beyond_loopback_need_tls_or_a_reason() {
        let bare = CLINICAL.replace("127.0.0.1:8080", "0.0.0.0:8080");
        assert!(problems(&bare).iter().any(|p| p.place.contains("http")));
        let mllp = format!("{CLINICAL}mllp: [{{name: emr, listen: 0.0.0.0:2575}}]\n");
        assert!(problems(&mllp).iter().any(|p| p.place.contains("mllp")));
        let allowed = format!(
            "{CLINICAL}mllp: [{{name: emr, listen: 0.0.0.0:2575, plaintext: {{allow: [10.0.0.0/8], reason: ward VLAN}}}}]\n"
        );
        assert_eq!(problems(&allowed), []);
    }

    #[test]
    fn a_folder_source_has_three_folders_and_a_name_of_its_own() {
        let folder = |name: &str, archive: &str| {
            format!("{CLINICAL}folders: [{{name: {name}, path: in, archive: {archive}, errors: wrong}}]\n")
        };
        assert_eq!(problems(&folder("lab", "done")), []);
        assert!(problems(&folder("lab", "in")).iter().any(|p| p.place.ends_with("folders.lab")));
        let twice = format!("{}mllp: [{{name: lab, listen: 127.0.0.1:2575}}]\n", folder("lab", "done"));
        assert!(problems(&twice).iter().any(|p| p.cause.contains("two channels")));
        let portal = folder("lab", "done").replace("clinical", "portal");
        assert!(problems(&portal).iter().any(|p| p.place.ends_with("folders")));
    }

    #[test]
    fn what_is_posted_has_an_address_for_its_application_acknowledgments() {
        let with = |keys: &str| {
            let listen = "listen: 127.0.0.1:8080";
            problems(&CLINICAL.replacen(
                listen,
                &format!("{listen}, application_acknowledgments: {{{keys}}}"),
                1,
            ))
        };
        assert_eq!(with("address: \"127.0.0.1:2600\""), []);
        let found = with("address: \"lis.example.org:2600\"");
        let place = "http.application_acknowledgments";
        assert!(found.iter().any(|problem| problem.place.ends_with(place)), "{found:?}");
    }

    #[test]
    fn channels_are_told_apart_and_their_options_make_sense() {
        let channel = |more: &str| format!("{CLINICAL}mllp: [{{name: emr, listen: 127.0.0.1:1{more}}}]\n");
        for right in [
            "",
            ", framing: {end: \"1C\", after_end: \"\"}",
            ", framing: {release: 2}, outside: keep, same_peer: replace, idle_seconds_max: 600",
        ] {
            assert_eq!(problems(&channel(right)), [], "{right}");
        }
        for (wrong, key) in [
            ("}, {name: lab, listen: 127.0.0.1:1", "mllp.lab.listen"),
            (", framing: {start: \"VT\"}", "framing"),
            (", framing: {start: \"+B\"}", "framing"),
            (", framing: {release: 3}", "framing.release"),
            (", keepalive_seconds: 181", "keepalive_seconds"),
            (", end_silence_ms: 0", "end_silence_ms"),
            (", frame_seconds_max: 0", "frame_seconds_max"),
            (", idle_seconds_max: 0", "idle_seconds_max"),
            (", in_flight_max: 0", "in_flight_max"),
        ] {
            let found = problems(&channel(wrong));
            assert!(matches!(found.as_slice(), [one] if one.place.ends_with(key)), "{wrong}: {found:?}");
        }
    }

    #[test]
    fn what_a_channel_asks_of_senders_can_be_kept() {
        let with = |keys: &str| {
            problems(&format!("{CLINICAL}mllp: [{{name: emr, listen: 127.0.0.1:2575, {keys}}}]\n"))
        };
        let digest = "AB:".repeat(31) + "CD";
        for right in [
            "acknowledge: applied, unknown_types: reject, processing_ids: [P]".to_owned(),
            "senders: [{application: LAB, facility: H, from: [10.0.0.0/8]}]".to_owned(),
            "default_charset: 8859/15".to_owned(),
            "application_acknowledgments: {address: \"127.0.0.1:2600\"}".to_owned(),
            "application_acknowledgments: {address: \"lab:2600\", ca: ca.pem}".to_owned(),
            "application_acknowledgments: {address: \"lab:2600\", plaintext_reason: VLAN}".to_owned(),
            format!(
                "tls: {{certificate: c, key: k, client_ca: a}}, senders: [{{application: L, facility: H, certificate: \"{digest}\"}}]"
            ),
        ] {
            assert_eq!(with(&right), [], "{right}");
        }
        for (wrong, key) in [
            ("processing_ids: []", "processing_ids"),
            ("applied_seconds_max: 99999", "applied_seconds_max"),
            ("default_charset: KLINGON", "mllp.emr.default_charset"),
            ("default_charset: UTF-16", "mllp.emr.default_charset"),
            ("default_charset: \"\"", "mllp.emr.default_charset"),
            ("senders: [{application: LAB, facility: H}]", "senders"),
            ("senders: [{application: LAB, facility: H, from: [10.0.0.0]}]", "senders"),
            ("senders: [{application: LAB, facility: H, certificate: abc}]", "senders"),
            (&format!("senders: [{{application: L, facility: H, certificate: \"{digest}\"}}]"), "senders"),
            ("application_acknowledgments: {address: lab}", "application_acknowledgments"),
            (
                "application_acknowledgments: {address: \"lab:2600\", ca: ca.pem, certificate: c.pem}",
                "application_acknowledgments",
            ),
            (
                "application_acknowledgments: {address: \"127.0.0.1:2600\", server_name: lab}",
                "application_acknowledgments",
            ),
            ("application_acknowledgments: {address: \"lab:2600\"}", "application_acknowledgments"),
        ] {
            let found = with(wrong);
            assert!(found.iter().any(|problem| problem.place.ends_with(key)), "{wrong}: {found:?}");
        }
    }

    #[test]
    fn a_demo_listens_on_loopback_only() {
        let demo = format!("{CLINICAL}demo: true\n");
        assert_eq!(problems(&demo), []);
        for beyond in [
            demo.replace("127.0.0.1:8080", "0.0.0.0:8080"),
            format!(
                "{demo}mllp: [{{name: emr, listen: 0.0.0.0:2575, plaintext: {{allow: [10.0.0.0/8], reason: ward}}}}]\n"
            ),
        ] {
            assert!(problems(&beyond).iter().any(|p| p.place.ends_with("demo")), "{beyond}");
        }
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn a_database_is_a_server_that_proves_which_it_is() {
        let with = |keys: &str| {
            problems(&format!("{CLINICAL}store: {{postgres: {{database: tg, user: tg, {keys}}}}}\n"))
        };
        for right in [
            "host: /run/postgresql",
            "host: 127.0.0.1, password_file: pw, schema: ward_3, port: 6432",
            "host: db.example.org, tls: {ca: ca.pem}",
            "host: db.example.org, tls: {ca: ca.pem, certificate: c.pem, key: k.pem}",
        ] {
            assert_eq!(with(right), [], "{right}");
        }
        for (wrong, key) in [
            ("host: db.example.org", "store.postgres.tls"),
            ("host: \"\"", "store.postgres"),
            ("host: localhost, schema: A-B", "store.postgres.schema"),
            ("host: localhost, connections: 0", "store.postgres.connections"),
            ("host: db.example.org, tls: {ca: ca.pem, key: k.pem}", "store.postgres.tls"),
        ] {
            let found = with(wrong);
            assert!(matches!(found.as_slice(), [one] if one.place.ends_with(key)), "{wrong}: {found:?}");
        }
        let found = with("host: localhost, password: hush");
        assert!(matches!(found.as_slice(), [one] if one.cause.contains("password")), "{found:?}");
    }

    #[test]
    fn clients_are_told_an_address_that_they_can_go_to() {
        let with = |url: &str| {
            let listen = "listen: 127.0.0.1:8080";
            problems(&CLINICAL.replacen(listen, &format!("{listen}, url: \"{url}\""), 1))
        };
        for right in ["https://fhir.example", "https://fhir.example:8443", "http://127.0.0.1:9000"] {
            assert_eq!(with(right), [], "{right}");
        }
        for wrong in [
            "",
            "fhir.example",
            "https://",
            "https://fhir.example/",
            "ftp://fhir.example",
            "https://a?b",
            "https://a/b",
        ] {
            let found = with(wrong);
            assert!(found.iter().any(|problem| problem.place.ends_with("http.url")), "{wrong}: {found:?}");
        }
    }

    #[test]
    fn retention_keeps_a_month_at_least() {
        assert_eq!(problems(&format!("{CLINICAL}retention: {{journal_months: 1}}\n")), []);
        let none = problems(&format!("{CLINICAL}retention: {{journal_months: 1, forward_days: 0}}\n"));
        assert!(none.iter().any(|p| p.place.ends_with("forward_days")), "{none:?}");
        let none = problems(&format!("{CLINICAL}retention: {{journal_months: 0}}\n"));
        assert!(none.iter().any(|p| p.place.ends_with("journal_months")), "{none:?}");
        assert!(!problems(&format!("{CLINICAL}retention: {{}}\n")).is_empty());
    }

    #[test]
    fn each_role_has_its_own_keys() {
        let portal = CLINICAL.replace("clinical", "portal");
        assert!(problems(&portal).iter().any(|p| p.place.contains("link")));
    }
}
