//! Waiting for what must come.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

/// The longest wait; far beyond what any effect takes on a busy machine.
const WAIT_MAX: Duration = Duration::from_secs(180);
const LOOK_INTERVAL: Duration = Duration::from_millis(40);

/// Looks until `look` gives a value; its error says what is there instead.
///
/// # Panics
/// After three minutes, with `what` and the last error.
pub async fn eventually<T, F: Future<Output = Result<T, String>>>(
    what: &str,
    mut look: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + WAIT_MAX;
    loop {
        match look().await {
            Ok(value) => return value,
            Err(words) if Instant::now() > deadline => panic!("{what} did not come: {words}"),
            Err(_) => tokio::time::sleep(LOOK_INTERVAL).await,
        }
    }
}
