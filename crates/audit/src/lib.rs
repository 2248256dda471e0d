//! The audit ledger: what was done, by whom, to which object, in a form that cannot be changed unseen.
//!
//! A [`Record`] is one act as canonical JSON. Its bytes are a leaf of an RFC 6962 Merkle tree; a [`Sealer`] numbers the
//! leaves and signs a [`Checkpoint`] over them as a C2SP signed note; a [`Verification`] reads a whole ledger back and
//! names the first record that is not what was sealed. A witness that keeps checkpoints (the cloud node, a file on an
//! officer's stick) makes truncation and a rewritten history visible too, even by someone who holds the signing key.
//!
//! The crate is pure: it reads no clock, no file and no socket. It must never know message content. No text field of a
//! record takes free text: every string is a code ([`is_code`]), and what is not one is replaced by its digest or refused.
//!
//! ```
//! use audit::{Frontier, Kind, Record, Sealer, SigningKey, Verification};
//! # fn main() -> Result<(), audit::Error> {
//! let key = SigningKey::generate("hospital.example/ledger")?;
//! let record = Record::new(Kind::NodeStarted, uuid::Uuid::nil(), "node-1", 1_700_000_000_000_000).outcome("ok");
//! let leaf = record.to_bytes();
//! let mut sealer = Sealer::new("hospital.example/ledger", Frontier::default(), 0);
//! let seal = sealer.prepare([leaf.as_slice()], 1_700_000_000_500_000, &key);
//! sealer.commit(&seal)?;
//!
//! let mut verification = Verification::new(key.public());
//! verification.record(seal.first_leaf, &leaf);
//! verification.checkpoint(&seal.note);
//! assert!(verification.finish().is_intact());
//! # Ok(())
//! # }
//! ```

mod checkpoint;
mod code;
mod error;
mod event;
pub mod export;
mod key;
mod kind;
mod merkle;
mod note;
mod proof;
mod record;
mod seal;
mod time;
mod token;
mod verification;

pub use checkpoint::Checkpoint;
pub use code::{CODE_LENGTH_MAX, is_code};
pub use error::Error;
pub use event::{PATIENT_TOKEN_SYSTEM, RECORD_ID_SYSTEM};
pub use key::{SigningKey, VerifyingKey};
pub use kind::Kind;
pub use merkle::{Frontier, Hash, leaf_hash, node_hash};
pub use proof::{InclusionProver, consistency_proof, inclusion_proof, verify_consistency, verify_inclusion};
pub use record::{Actor, OBJECTS_MAX, PATIENTS_MAX, Record};
pub use seal::{SEAL_INTERVAL_US, SEAL_RECORDS_MAX, Seal, Sealer};
pub use token::{PatientToken, TokenKey};
pub use verification::{Finding, UNSEALED_AGE_MAX_US, Verdict, Verification};
