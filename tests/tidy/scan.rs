//! Rust sources cut into what runs in production and what is test.

use crate::workspace::{File, files_ending};

/// A source file of a crate, tests taken out.
pub struct Source {
    /// Path from the workspace.
    pub path: String,
    /// Lines before the inline tests; comments stay.
    pub lines: Vec<String>,
}

impl Source {
    /// The folder's name below `crates/`.
    pub fn owner(&self) -> &str {
        self.path.split('/').nth(1).unwrap_or_default()
    }

    /// Number (from 1) and text of each line that is code: no comment, no blank line.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = (1..).zip(self.lines.iter().map(String::as_str));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//") && !line.trim().is_empty())
    }
}

/// Everything below `crates/*/src`, without tests.
pub fn production() -> Vec<Source> {
    let files = files_ending(".rs").into_iter().filter(|file| is_production(&file.path));
    let sources: Vec<Source> =
        files.map(|File { path, text }| Source { path, lines: before_tests(&text) }).collect();
    assert!(sources.len() > 150, "only {} sources were found: the walk is broken", sources.len());
    sources
}

fn is_production(path: &str) -> bool {
    path.starts_with("crates/")
        && path.contains("/src/")
        && !path.ends_with("/tests.rs")
        && !path.contains("/tests/")
}

fn before_tests(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let is_test = |at: usize| {
        let next = lines
            .get(at + 1)
            .is_some_and(|line| (line.starts_with("mod ") || line.contains(" mod ")) && line.ends_with('{'));
        lines[at] == "#[cfg(test)]" && next
    };
    let end = (0..lines.len()).find(|at| is_test(*at)).unwrap_or(lines.len());
    lines[..end].iter().map(ToString::to_string).collect()
}

/// Name, first line and number of lines of each function, by the indentation that rustfmt gives.
pub fn functions(lines: &[String]) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = &line[..line.len() - line.trim_start().len()];
        let end = format!("{indent}}}");
        let is_end = |line: &String| {
            *line == end
                || (line.starts_with(indent) && line.ends_with(';') && !line[indent.len()..].starts_with(' '))
        };
        let length = if line.ends_with('{') || line.ends_with('(') {
            lines[at..].iter().position(is_end).map_or(1, |last| last + 1)
        } else {
            1
        };
        found.push((name, at + 1, length));
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let words = line.trim_start();
    let at = if words.starts_with("fn ") { 0 } else { words.find(" fn ")? + 1 };
    let is_modifier =
        |word: &str| word.starts_with("pub") || ["const", "async", "extern", "in"].contains(&word);
    if !words[..at].split_whitespace().all(is_modifier) {
        return None;
    }
    let name: String = words[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

#[test]
fn functions_are_measured_to_their_closing_brace() {
    let text = "impl A {\n    pub async fn one(\n        &self,\n    ) -> u8 {\n        let a = 1;\n        a\n    }\n    fn two() {}\n}\nfn three();\n";
    let lines: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
    let expected = [("one".to_owned(), 2, 6), ("two".to_owned(), 8, 1), ("three".to_owned(), 10, 1)];
    assert_eq!(functions(&lines), expected);
}

#[test]
fn inline_tests_are_taken_out() {
    let text = "//! a\n#[cfg(test)]\nmod tests;\nfn a() {}\n#[cfg(test)]\nmod inline {\n    fn b() {}\n}\n";
    assert_eq!(before_tests(text).len(), 4);
}
