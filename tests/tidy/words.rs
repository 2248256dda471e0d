//! What no file says: places of one machine, registries, and words of how it was made.

use crate::allowed;
use crate::workspace::files;

/// Files whose form is not ours.
const LEFT_OUT: [&str; 3] = ["Cargo.lock", "LICENSE", ".proptest-regressions"];

#[test]
fn no_file_names_a_machine_or_a_registry() {
    let words = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("/Us", "ers/"),
        concat!("crates", ".io"),
        concat!("pypi", ".org"),
        concat!("npmjs", ".com"),
        concat!("registry.", "npmjs"),
        concat!("proxy.", "golang.org"),
    ];
    allowed::check("place", found(&words));
}

#[test]
fn text_and_code_speak_of_the_product_alone() {
    let words = [
        concat!("the issue", " says"),
        concat!("issue ", "#"),
        concat!("shared/", "design"),
        concat!("shared/", "research"),
        concat!("as an ", "AI"),
        concat!("a help", "er"),
        concat!("help", "er function"),
    ];
    allowed::check("speech", found(&words));
}

fn found(words: &[&str]) -> Vec<(String, String)> {
    let mut violations = Vec::new();
    for file in files() {
        if LEFT_OUT.iter().any(|ending| file.path.ends_with(ending)) {
            continue;
        }
        for (number, line) in (1..).zip(file.text.lines()) {
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                violations.push((file.path.clone(), format!("{number}: `{word}`")));
            }
        }
    }
    violations
}

/// The migrations of a released version stand for ever: what follows is a new file.
#[test]
fn migrations_are_numbered_without_gaps() {
    let mut names: Vec<(String, u32)> = Vec::new();
    for file in files().into_iter().filter(|file| file.path.starts_with("crates/store/src/migrations/")) {
        let name = file.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".sql").to_owned();
        let mut words = name.splitn(3, '_');
        let (Some(database), Some(number)) = (words.next(), words.next()) else {
            panic!("{name} is not DATABASE_NUMBER[_WHAT].sql")
        };
        names.push((database.to_owned(), number.parse().unwrap_or_else(|_| panic!("{name} has no number"))));
    }
    assert!(names.iter().any(|(_, number)| *number == 1), "no migration was found");
    let numbers: std::collections::BTreeSet<u32> = names.iter().map(|(_, number)| *number).collect();
    assert_eq!(
        numbers.len(),
        usize::try_from(*numbers.last().unwrap_or(&0)).unwrap_or(0),
        "{names:?} has a gap"
    );
}
