//! `codes/*.yaml`.

use super::{Checker, Trees};
use crate::codes::{CodeTable, Level, Row, Unmapped};
use crate::diagnostic::Place;
use crate::systems::v2_table;
use crate::yaml::{Kind, Node};
use std::collections::HashMap;

impl Checker<'_> {
    pub(super) fn code_tables(&mut self, trees: &Trees) {
        for (name, node) in &trees.codes {
            let table = self.code_table(name, node, trees);
            self.table_names.insert(name.clone(), self.tables.len());
            self.tables.push(table);
        }
    }

    fn code_table(&mut self, name: &str, node: &Node, trees: &Trees) -> CodeTable {
        self.only_keys(node, &["code", "from", "to", "rows", "unmapped", "doc", "ig", "deviates"]);
        let scalar = |key: &str| node.get(key).and_then(Node::scalar).map(str::to_owned);
        let from =
            scalar("from").and_then(|from| v2_table(&from).or_else(|| from.contains(':').then_some(from)));
        let to = scalar("to").unwrap_or_default();
        if to.is_empty() {
            self.findings.add(node.place, "E0103", "a code table needs `to`, the system of its targets");
        } else if !self.is_declared_url(&to) {
            let place = node.get("to").map_or(node.place, |to| to.place);
            self.findings.add_help(
                place,
                "E0308",
                "this URL is not registered",
                "declare it in systems.yaml",
            );
        }
        let mut rows = HashMap::new();
        let mut same = false;
        match node.get("rows") {
            None => self.findings.add(node.place, "E0103", "a code table needs rows"),
            Some(Node { kind: Kind::Scalar(text), .. }) if text == "same" => same = true,
            Some(Node { kind: Kind::Scalar(file), place }) => match trees.tables.get(file) {
                Some(text) => rows = csv_rows(text, *place),
                None => self.findings.add(*place, "E0402", format!("codes/{file} is not in the package")),
            },
            Some(given) => {
                for entry in given.entries() {
                    if entry.key == "*" && entry.value.scalar() == Some("same") {
                        same = true;
                    } else if let Some(row) = self.row(&entry.value) {
                        rows.insert(entry.key.clone(), row);
                    }
                }
            }
        }
        let unmapped = node.get("unmapped").map(|unmapped| self.unmapped(unmapped));
        let ig = node.get("ig").map(Node::items).unwrap_or_default();
        let ig = ig.iter().filter_map(Node::scalar).map(str::to_owned).collect();
        let deviates =
            node.get("deviates").map(Node::entries).unwrap_or_default().iter().filter_map(|entry| {
                let codes = entry.key.split_whitespace().map(str::to_owned).collect();
                Some((codes, self.text(&entry.value)?.to_owned()))
            });
        let deviates = deviates.collect();
        CodeTable { name: name.to_owned(), place: node.place, from, to, rows, same, unmapped, ig, deviates }
    }

    fn row(&mut self, node: &Node) -> Option<Row> {
        if let Some(text) = node.scalar() {
            return Some(plain_row(text, node.place));
        }
        self.only_keys(node, &["code", "display", "system", "lossy", "keep"]);
        let text = |key: &str| node.get(key).and_then(Node::scalar).map(str::to_owned);
        let code = text("code");
        if code.is_none() {
            self.findings.add(node.place, "E0103", "a row needs its code");
        }
        if let Some(system) = node.get("system")
            && system.scalar().is_some_and(|system| !self.is_declared_url(system))
        {
            self.findings.add_help(
                system.place,
                "E0308",
                "this URL is not registered",
                "declare it in systems.yaml",
            );
        }
        Some(Row {
            code: Some(code?),
            display: text("display"),
            system: text("system"),
            lossy: text("lossy").as_deref() == Some("true"),
            keep: text("keep").as_deref() == Some("true"),
            place: node.place,
        })
    }

    fn unmapped(&mut self, node: &Node) -> Unmapped {
        if node.scalar() == Some("drop") {
            return Unmapped::default();
        }
        self.only_keys(node, &["emit", "keep", "level"]);
        let text = |key: &str| node.get(key).and_then(Node::scalar);
        let level = match text("level") {
            Some("info") => Level::Info,
            None | Some("warn") => Level::Warn,
            Some("error") => Level::Error,
            Some(other) => {
                self.findings.add_help(
                    node.place,
                    "E0105",
                    format!("{other} is no level"),
                    "info, warn or error",
                );
                Level::Warn
            }
        };
        let kept = text("keep");
        if kept.is_some_and(|word| !["true", "false", "alone"].contains(&word)) {
            self.findings.add(node.place, "E0105", "keep is true, false or alone");
        }
        Unmapped {
            emit: text("emit").map(str::to_owned),
            keep: matches!(kept, Some("true" | "alone")),
            alone: kept == Some("alone"),
            level,
        }
    }

    /// A table by name, marked as used.
    pub(super) fn table(&mut self, name: &str, place: Place) -> Option<usize> {
        let found = self.table_names.get(name).copied();
        match found {
            Some(index) => {
                self.used_tables.insert(index);
            }
            None => {
                let names: Vec<String> = self.table_names.keys().cloned().collect();
                self.findings.add_near(
                    place,
                    "E0402",
                    format!("no code table {name}"),
                    name,
                    names.iter().map(String::as_str),
                );
            }
        }
        found
    }

    pub(super) fn unused_tables(&mut self) {
        for (index, table) in self.tables.iter().enumerate() {
            if !self.used_tables.contains(&index) {
                self.findings.add(
                    table.place,
                    "E0404",
                    format!("the code table {} is used nowhere", table.name),
                );
            }
        }
    }

    /// Targets against the value set that the element requires.
    pub(super) fn check_binding(&mut self, index: usize, element: &fhir::Element, place: Place) {
        let Some(binding) = element.binding.filter(|binding| binding.strength == fhir::Strength::Required)
        else {
            return;
        };
        let Some(set) = fhir::r4().codes(binding.value_set) else { return };
        let Some(table) = self.tables.get(index) else { return };
        let targets = table.rows.values().filter_map(|row| row.code.as_deref().map(|code| (code, row.place)));
        let emitted = table
            .unmapped
            .as_ref()
            .and_then(|unmapped| unmapped.emit.as_deref())
            .map(|code| (code, table.place));
        let wrong: Vec<(String, Place)> = targets
            .chain(emitted)
            .filter(|(code, _)| !set.contains(code))
            .map(|(code, place)| (code.to_owned(), place))
            .collect();
        for (code, at) in wrong {
            self.findings.add_near(
                at,
                "E0306",
                format!("{code} is not in the value set that {} requires", element.path),
                &code,
                set.codes(),
            );
        }
        if table.unmapped.is_none() {
            self.findings.add_help(place, "E0307", format!("{} requires its codes, and the table {} does not say what becomes of a code without a row", element.path, table.name), "add `unmapped:` to the table");
        }
    }
}

fn plain_row(text: &str, place: Place) -> Row {
    let (code, lossy) = text.strip_suffix('~').map_or((text, false), |code| (code, true));
    let code = (code != "none").then(|| code.trim().to_owned());
    Row { code, display: None, system: None, lossy, keep: false, place }
}

fn csv_rows(text: &str, place: Place) -> HashMap<String, Row> {
    let mut rows = HashMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut cells = line.splitn(3, ',').map(str::trim);
        if let (Some(from), Some(to)) = (cells.next(), cells.next()) {
            let display = cells.next().filter(|display| !display.is_empty()).map(str::to_owned);
            rows.insert(from.to_owned(), Row { display, ..plain_row(to, place) });
        }
    }
    rows
}
