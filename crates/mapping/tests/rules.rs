//! Which rules the tests of a package run.

mod support;

use mapping::{Package, RuleCoverage, RuleFate};

const TESTS: &str = "tests:\n  - name: a man\n    er7: |\n      MSH|^~\\&|APP|FAC|||20240102030405-0500||ADT^A01|1|P|2.5.1\n      PID|1||42^^^H||||19700102|M\n    expect: {gender: male}\n";

fn covered(tests: &[(&str, &str)]) -> RuleCoverage {
    let mut sources = support::sources();
    sources.0.extend(tests.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
    let package = Package::compile(&sources).unwrap_or_else(|found| panic!("{found:?}"));
    let (outcomes, coverage) = package.run_tests_covering();
    assert_eq!(outcomes, package.run_tests(), "counting changes no outcome");
    coverage
}

/// What became of the rules of an element.
fn fates(coverage: &RuleCoverage, gives: &str) -> Vec<RuleFate> {
    coverage.rules.iter().filter(|rule| rule.gives == gives).map(|rule| rule.fate).collect()
}

#[test]
fn a_rule_is_run_when_a_test_makes_it_give_a_value() {
    let coverage = covered(&[("segments/PID.Patient.test.yaml", TESTS)]);
    assert_eq!(fates(&coverage, "PID.Patient gender"), [RuleFate::Run]);
    assert_eq!(fates(&coverage, "PID.Patient identifier"), [RuleFate::Run], "a type map ran for it");
    assert_eq!(fates(&coverage, "CX.Identifier value"), [RuleFate::Run]);
    assert_eq!(fates(&coverage, "PID.Patient deceasedDateTime"), [RuleFate::Tried("unvalued")]);
    assert_eq!(fates(&coverage, "PV1.Encounter subject"), [RuleFate::Untried]);
    assert_eq!(fates(&coverage, "ADT_A01 A01 visit status"), [RuleFate::Untried], "there is no visit");
    assert_eq!(coverage.run() + coverage.not_run().count(), coverage.rules.len());
}

#[test]
fn a_rule_has_its_place_and_the_patch_of_a_site_is_one() {
    let coverage = covered(&[("segments/PID.Patient.test.yaml", TESTS)]);
    let birth = coverage.rules.iter().find(|rule| rule.gives == "PID.Patient birthDate").expect("is a rule");
    assert_eq!((birth.at.file.as_str(), birth.at.line, birth.column), ("segments/PID.Patient.yaml", 6, 12));
    let of_site = |rule: &&mapping::RuleRun| rule.at.file == "sites/one/site.yaml";
    let patched: Vec<_> = coverage.rules.iter().filter(of_site).collect();
    assert_eq!(patched.len(), 1, "{patched:?}");
    assert_eq!(
        (patched[0].gives.as_str(), patched[0].fate),
        ("PID.Patient maritalStatus.text", RuleFate::Untried)
    );
    let at_site = TESTS.replace("    er7:", "    site: one\n    er7:");
    let coverage = covered(&[("segments/PID.Patient.test.yaml", &at_site)]);
    let patched = coverage.rules.iter().find(of_site).expect("is a rule");
    assert_eq!(patched.fate, RuleFate::Run);
    assert_eq!(
        fates(&coverage, "PID.Patient gender"),
        [RuleFate::Run],
        "the base's rule ran under the overlay"
    );
}

#[test]
fn the_share_of_each_file_is_counted() {
    let coverage = covered(&[("segments/PID.Patient.test.yaml", TESTS)]);
    let files = coverage.by_file();
    let names: Vec<&str> = files.iter().map(|file| file.file).collect();
    assert!(names.is_sorted() && names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    let sum = |count: fn(&mapping::FileRules<'_>) -> usize| files.iter().map(count).sum::<usize>();
    assert_eq!((sum(|file| file.run), sum(|file| file.all)), (coverage.run(), coverage.rules.len()));
    let of = |name: &str| *files.iter().find(|file| file.file == name).expect("has rules");
    assert_eq!(of("sites/one/site.yaml"), mapping::FileRules { file: "sites/one/site.yaml", run: 0, all: 1 });
    assert_eq!(of("sites/one/site.yaml").share(), 0);
    let patient = of("segments/PID.Patient.yaml");
    assert_eq!(patient.share(), patient.run * 10_000 / patient.all);
    assert!(0 < patient.share() && patient.share() < 10_000, "{patient:?}");
    assert_eq!(RuleCoverage::default().share(), 10_000, "of no rules, all are run");
}

#[test]
fn without_tests_no_rule_is_run() {
    let coverage = covered(&[]);
    assert_eq!((coverage.run(), coverage.rules.is_empty()), (0, false));
}

#[test]
fn a_test_of_a_type_map_counts() {
    let test = "tests:\n  - name: a name\n    input: Doe^Jo\n    expect: {family: Doe}\n";
    let coverage = covered(&[("types/XPN.HumanName.test.yaml", test)]);
    assert_eq!(fates(&coverage, "XPN.HumanName family"), [RuleFate::Run]);
    assert_eq!(fates(&coverage, "PID.Patient name"), [RuleFate::Untried]);
}
