//! What only the start needed goes back to the system.
//!
//! A start reads, proves and compiles far more than what stays of it. The allocator gives freed pages back when a page is
//! freed some time after them, so that a busy node does not give and take the same ones; but a node at rest frees no page
//! for hours, and would hold all the while what its start freed last.

use std::time::Duration;

/// After the start; longer than the allocator waits for freed pages to be used again, which is a second.
const SETTLED: Duration = Duration::from_millis(1_500);
/// More than the allocator keeps for the next one who asks, so that its page is freed at once. It is never written to.
const PAGE_BYTES: usize = 1 << 20;

/// Frees a page once the node has come to rest. Nobody waits for it: a node that stops before has no need of it.
pub(super) fn begin() {
    tokio::spawn(async {
        tokio::time::sleep(SETTLED).await;
        drop(std::hint::black_box(Vec::<u8>::with_capacity(PAGE_BYTES)));
    });
}
