//! What an answer means for the message: ordered rules over its codes and words, the site's own before the default table.

use super::answer::Answer;

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The partner has it.
    Delivered,
    /// The same bytes may be taken later.
    Transient,
    /// The same bytes will be refused again.
    Data,
    /// It cannot be told.
    Unknown,
}

/// One rule: conditions that are there must all hold; the first rule that matches decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseRule {
    /// MSA-1 is one of these; empty: any.
    pub codes: Vec<String>,
    /// ERR-3 (ERR-1.4 before v2.5, MSA-6 before v2.4) is one of these; empty: any, or none.
    pub errors: Vec<String>,
    /// Stands in MSA-3, ERR-7 or ERR-8, whatever its case; `None`: any words.
    pub text: Option<String>,
    /// What the answer means then.
    pub then: Class,
}

impl ResponseRule {
    fn matches(&self, answer: &Answer) -> bool {
        let is_code = self.codes.is_empty() || self.codes.contains(&answer.code);
        let is_error =
            self.errors.is_empty() || answer.errors.iter().any(|error| self.errors.contains(error));
        is_code && is_error && self.text.as_ref().is_none_or(|text| answer.says(text))
    }
}

/// Codes of table 0357 that say: try again later.
const TRANSIENT_ERRORS: [&str; 2] = ["206", "207"];
/// Codes of table 0357 that say: this message is wrong, or not for here.
const DATA_ERRORS: [&str; 10] = ["100", "101", "102", "103", "200", "201", "202", "203", "204", "205"];
/// Answers that refuse.
const REFUSALS: [&str; 4] = ["AE", "AR", "CE", "CR"];

/// The site's rules, then the default table:
///
/// | MSA-1 | ERR-3 | |
/// |---|---|---|
/// | AA, CA | any | delivered |
/// | AE, AR, CE, CR | 206, 207 | transient |
/// | AE, AR, CE, CR | 100 to 103, 200 to 205 | data |
/// | anything else | | unknown |
#[derive(Debug, Clone)]
pub struct Classifier(Vec<ResponseRule>);

impl Classifier {
    /// `rules`: the site's own, in their order.
    pub fn new(rules: Vec<ResponseRule>) -> Self {
        let rule = |codes: &[&str], errors: &[&str], then| {
            let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
            ResponseRule { codes: own(codes), errors: own(errors), text: None, then }
        };
        let table = [
            rule(&["AA", "CA"], &[], Class::Delivered),
            rule(&REFUSALS, &TRANSIENT_ERRORS, Class::Transient),
            rule(&REFUSALS, &DATA_ERRORS, Class::Data),
        ];
        Self(rules.into_iter().chain(table).collect())
    }

    /// What an answer means; of what no rule knows it is not known.
    pub fn classify(&self, answer: &Answer) -> Class {
        self.0.iter().find(|rule| rule.matches(answer)).map_or(Class::Unknown, |rule| rule.then)
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer::{Reply, read};
    use super::*;

    fn answer(code: &str, error: &str, text: &str) -> Answer {
        let er7 = format!("MSH|^~\\&|B||A||2026||ACK|1|P|2.5\rMSA|{code}|77|{text}\rERR|||{error}\r");
        match read(er7.as_bytes()) {
            Reply::Of { answer, .. } => answer,
            Reply::OfNothing => panic!("an answer"),
        }
    }

    #[test]
    fn the_default_table() {
        let classifier = Classifier::new(Vec::new());
        for (code, error, class) in [
            ("AA", "", Class::Delivered),
            ("CA", "", Class::Delivered),
            ("AA", "101", Class::Delivered),
            ("AE", "206", Class::Transient),
            ("AR", "207", Class::Transient),
            ("CE", "207", Class::Transient),
            ("AE", "101", Class::Data),
            ("AR", "200", Class::Data),
            ("AR", "203", Class::Data),
            ("CR", "103", Class::Data),
            ("AE", "", Class::Unknown),
            ("AR", "999", Class::Unknown),
            ("AAX", "", Class::Unknown),
            ("AAX", "207", Class::Unknown),
            ("aa", "", Class::Unknown),
            ("", "", Class::Unknown),
        ] {
            assert_eq!(classifier.classify(&answer(code, error, "")), class, "{code} {error}");
        }
    }

    #[test]
    fn rules_of_the_site_come_first_and_in_their_order() {
        let rule = |codes: &[&str], errors: &[&str], text: Option<&str>, then| {
            let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
            ResponseRule { codes: own(codes), errors: own(errors), text: text.map(str::to_owned), then }
        };
        let classifier = Classifier::new(vec![
            rule(&["AE"], &[], Some("duplicate"), Class::Delivered),
            rule(&[], &[], Some("Locked"), Class::Transient),
            rule(&["AE", "AAX"], &["103"], None, Class::Transient),
        ]);
        assert_eq!(classifier.classify(&answer("AE", "205", "Duplicate message")), Class::Delivered);
        assert_eq!(classifier.classify(&answer("AR", "", "record is LOCKED by dr")), Class::Transient);
        assert_eq!(classifier.classify(&answer("AAX", "103", "")), Class::Transient);
        assert_eq!(classifier.classify(&answer("AR", "103", "")), Class::Data, "no rule of the site matches");
    }
}
