//! What `mappings/README.md` tells a newcomer to write, written and run: a page that is wrong fails here.

#[path = "support/shipped.rs"]
mod shipped;

use std::collections::BTreeMap;

use mapping::TestOutcome;

/// Where the newcomer's site lies.
const FOLDER: &str = "sites/riverside/";

/// The YAML blocks of the page that begin with the name of their file.
fn written() -> BTreeMap<String, String> {
    let page = std::fs::read_to_string(shipped::root("mappings/README.md")).expect("the page is readable");
    let blocks = page.split("```yaml\n# ").skip(1).filter_map(|rest| rest.split_once("```"));
    let named = blocks.filter_map(|(block, _)| block.split_once('\n'));
    let files: BTreeMap<_, _> = named.map(|(name, text)| (name.trim().to_owned(), text.to_owned())).collect();
    assert!(files.keys().all(|name| name.ends_with(".yaml")), "each names a file: {:?}", files.keys());
    files
}

/// What the tests of the newcomer's site say, with the package as shipped around it.
fn outcomes(files: BTreeMap<String, String>) -> Vec<TestOutcome> {
    let mut sources = shipped::sources();
    // Other tests take their time, and that maps without them are told of is no matter here.
    sources.retain(|name, _| !name.ends_with(".test.yaml"));
    sources.extend(files);
    let mut outcomes = shipped::compiled(sources).run_tests();
    outcomes.retain(|outcome| outcome.file == format!("{FOLDER}site.test.yaml"));
    outcomes
}

#[test]
fn a_newcomer_who_follows_the_page_has_a_field_with_a_passing_test() {
    let files = written();
    assert_eq!(files.keys().filter(|name| name.starts_with(FOLDER)).count(), 2, "a site and its test");
    let outcomes = outcomes(files);
    assert_eq!(outcomes.len(), 1, "the page has one test");
    for outcome in outcomes {
        assert_eq!(outcome.failures, Vec::<String>::new(), "{}: {}", outcome.file, outcome.name);
    }
}

#[test]
fn the_test_of_the_page_fails_where_the_rule_is_wrong() {
    let mut files = written();
    let site = files.get_mut(&format!("{FOLDER}site.yaml")).expect("the page has the site");
    let rule = site.find("ext:congregation").expect("the site has the rule");
    site.replace_range(rule.., "ext:congregation: PD1-14~1.1\n");
    let outcomes = outcomes(files);
    assert!(outcomes.iter().any(|outcome| !outcome.failures.is_empty()), "without its rule the test fails");
}
