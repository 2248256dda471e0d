//! MLLP and HL7 v2, case by case; see `README.md` beside this file.

mod acknowledging;
mod batches;
mod characters;
mod connection;
mod durability;
mod forwarding;
mod framing;
mod hold;
mod matrix;
mod memory;
mod outbound;
mod parsing;
mod partner;
mod reload;
mod replayed;
mod row;
mod site;
mod slow;
mod trust;
mod wire;
