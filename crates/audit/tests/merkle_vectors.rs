//! The proof verifiers against the test data of transparency-dev/merkle, when `TIDEGATE_CORPORA` names the corpora.

use std::fs;
use std::path::{Path, PathBuf};

use audit::{Hash, verify_consistency, verify_inclusion};
use base64::Engine;
use serde_json::Value;

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
}

/// The data also has hashes of other lengths. Ours cannot: an empty one is refused, another stands for itself.
fn hash(value: &Value) -> Option<Hash> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(value.as_str()?).expect("base64");
    if bytes.is_empty() {
        return None;
    }
    Some(Hash::try_from(bytes.as_slice()).unwrap_or_else(|_| audit::leaf_hash(&bytes)))
}

fn proof(value: &Value) -> Option<Vec<Hash>> {
    value.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(hash).collect()
}

fn accepted(case: &Value) -> Option<bool> {
    let number = |name: &str| case[name].as_u64();
    let proof = proof(&case["proof"])?;
    Some(if case.get("leafIdx").is_some() {
        let (leaf, root) = (hash(&case["leafHash"])?, hash(&case["root"])?);
        verify_inclusion(leaf, number("leafIdx")?, number("treeSize")?, &proof, root)
    } else {
        let (old, new) = (hash(&case["root1"])?, hash(&case["root2"])?);
        verify_consistency(number("size1")?, number("size2")?, old, new, &proof)
    })
}

#[test]
fn good_proofs_verify_and_corrupted_ones_do_not() {
    let Some(corpora) = std::env::var_os("TIDEGATE_CORPORA") else {
        eprintln!("TIDEGATE_CORPORA is not set: not compared with transparency-dev/merkle");
        return;
    };
    let mut found = Vec::new();
    for folder in ["inclusion", "consistency"] {
        files(&Path::new(&corpora).join("transparency-dev-merkle").join(folder), &mut found);
    }
    let mut counts = [0; 2];
    for path in &found {
        let case: Value = serde_json::from_slice(&fs::read(path).expect("file")).expect("json");
        let refuse = case["wantErr"].as_bool().expect("wantErr");
        assert_eq!(accepted(&case).unwrap_or(false), !refuse, "{}", path.display());
        counts[usize::from(refuse)] += 1;
    }
    assert!(counts[0] >= 10 && counts[1] >= 100, "{counts:?}");
}
