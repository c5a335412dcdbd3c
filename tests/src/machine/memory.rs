//! Memory that runs out, at every place where it can.

use nt_host::pool;

/// More than any operation has allocations: a loop that gets here never ends.
const MAX_ALLOCATIONS: u64 = 5_000;

/// Does something again and again, while one allocation fails: the first, the second, until there
/// are no more. `done` gets what came of it, and puts everything back as it was.
pub fn every_allocation<T>(what: &str, mut act: impl FnMut() -> T, mut done: impl FnMut(u64, T)) {
    every_allocation_until(
        what,
        || (),
        |()| act(),
        |failing, outcome| {
            done(failing, outcome);
            true
        },
    );
}

/// As [`every_allocation`]; each time, something is prepared first, while there is memory. `done`
/// says whether all of it was done: what other threads do may take longer than one waits, and then
/// there are more allocations than were seen.
pub fn every_allocation_until<P, T>(
    what: &str,
    mut prepare: impl FnMut() -> P,
    mut act: impl FnMut(P) -> T,
    mut done: impl FnMut(u64, T) -> bool,
) {
    for failing in 1..MAX_ALLOCATIONS {
        let prepared = prepare();
        let before = pool::allocation_count();
        pool::fail_allocation(failing);
        let outcome = act(prepared);
        pool::fail_allocation(0);
        let count = pool::allocation_count() - before;
        let is_whole = done(failing, outcome);
        if count < failing && is_whole {
            println!("{what}: {} allocations", failing - 1);
            assert!(failing > 1, "{what}: nothing is allocated, so nothing was tested");
            return;
        }
    }
    panic!("{what}: {MAX_ALLOCATIONS} allocations and no end");
}
