//! No bytes make the translator panic, and the same bytes always give the same result.

mod support;

use proptest::prelude::{ProptestConfig, any, proptest};
use proptest::{collection, prop_assert_eq};
use support::{HEADER, context, package};

const ORU: &str = "PID|1||42^^^H^MR||Doe^Jo||1970|F\rOBR|1||F1|A\rOBX|1|NM|G||1.0|mg^^UCUM||||F\rNTE|1||x\rOBX|2|SN|T||>^1^:^2||||F\r";

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn mutated_messages_are_translated_twice_alike(changes in collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..24), oru in any::<bool>()) {
        let text = if oru { format!("{}{ORU}", HEADER.replace("ADT^A01", "ORU^R01")) } else { format!("{HEADER}{ORU}PV1|1|I|||||||||||||||||V1\r") };
        let mut bytes = text.into_bytes();
        for (at, byte) in changes {
            let index = at.index(bytes.len());
            bytes[index] = byte;
        }
        let package = package();
        if let Ok(message) = hl7v2::Message::read(&bytes) {
            let shown = |trace| package.translate(&message, &mapping::Context { trace, ..context() }).map(|made| (made.bundle(), made.issues.len(), made.coverage.leaves.len()));
            prop_assert_eq!(shown(false), shown(true));
        }
    }

    #[test]
    fn any_text_in_any_place_compiles_or_is_refused(text in "[ -~\n]{0,60}", file in 0..support::FILES.len(), at in any::<proptest::sample::Index>()) {
        let mut sources = support::sources();
        let path = support::FILES[file].0;
        if let Some(held) = sources.0.get_mut(path) {
            let index = at.index(held.len());
            held.insert_str(index, &text);
        }
        let _compiles_or_not = mapping::Package::compile(&sources).is_ok();
    }
}
