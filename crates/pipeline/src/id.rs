//! Random ids, from the shell's clock and randomness.

use uuid::Uuid;

use crate::Environment;

/// A random id of the journal's kind (UUIDv7), from the shell's clock and randomness.
pub fn new_id(environment: &Environment) -> Uuid {
    let mut random = [0; 10];
    (environment.fill_random)(&mut random);
    let millis = u64::try_from((environment.now_us)() / 1000).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}
