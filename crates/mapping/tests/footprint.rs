//! What a process holds of the definitions and of the package as shipped, counted by its allocator. A node holds both for as
//! long as it runs, so what is held twice, or with room to grow, is paid by everybody.

#[path = "support/shipped.rs"]
mod shipped;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Most bytes that the definitions of R4 may hold.
const DEFINITIONS_BYTES_MAX: usize = 4 << 20;
/// Most bytes that the package may hold.
const PACKAGE_BYTES_MAX: usize = 8 << 20;
/// Most times that a compilation may ask for memory. It is where the time of a start goes.
const PACKAGE_ALLOCATIONS_MAX: usize = 2_300_000;

/// What was made in a region and is still there.
fn held(region: &Region<'_, System>) -> usize {
    let made = region.change();
    made.bytes_allocated.saturating_sub(made.bytes_deallocated)
}

/// One test: another one beside it would be counted too.
#[test]
fn definitions_and_package_hold_what_they_need() {
    let region = Region::new(ALLOCATOR);
    let parameters = fhir::r4().search_parameters("Patient").len();
    let definitions = held(&region);
    assert!(parameters > 0 && definitions > 1 << 20, "nothing was counted: {definitions}");
    assert!(definitions <= DEFINITIONS_BYTES_MAX, "the definitions hold {definitions} bytes");

    let sources = shipped::sources();
    let region = Region::new(ALLOCATOR);
    let package = shipped::compiled(sources.clone());
    let copied = sources.values().map(String::len).sum::<usize>();
    drop(sources);
    let (held, asked) = (held(&region), region.change().allocations);
    assert!(package.sites().count() > 1 && held > copied >> 2, "nothing was counted: {held}");
    assert!(held <= PACKAGE_BYTES_MAX, "the package holds {held} bytes");
    assert!(asked <= PACKAGE_ALLOCATIONS_MAX, "the package asked for memory {asked} times");
}
