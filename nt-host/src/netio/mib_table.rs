//! The tables that functions allocate and FreeMibTable frees.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::loaded;
use crate::pool;
use crate::violation::{Rule, stop};

/// The tables that are not freed, by address.
static TABLES: Mutex<BTreeMap<usize, MibTable>> = Mutex::new(BTreeMap::new());

/// The memory of a table, and the function that has made it.
struct MibTable {
    function: &'static str,
    _memory: Box<[u64]>,
}

/// Makes a table of a count and its rows. `None` if an allocation is to fail.
pub(super) fn make<R: Copy>(function: &'static str, rows: &[R]) -> Option<*mut c_void> {
    if !pool::admit() {
        return None;
    }
    // The rows are behind the count, on 8 bytes.
    let bytes = 8 + size_of_val(rows);
    let mut memory = vec![0_u64; bytes.div_ceil(8)].into_boxed_slice();
    let address = memory.as_mut_ptr();
    // SAFETY: the memory has room for the count.
    unsafe { address.cast::<u32>().write(rows.len() as u32) };
    const { assert!(align_of::<R>() <= 8) };
    let first = address.wrapping_add(1).cast::<R>();
    // SAFETY: the memory has room for the rows behind the count.
    unsafe { first.copy_from_nonoverlapping(rows.as_ptr(), rows.len()) };
    loaded::at_unload(left);
    tables().insert(address.addr(), MibTable { function, _memory: memory });
    Some(address.cast())
}

/// Frees a table, which must be one.
pub(super) fn free(table: *mut c_void) {
    if tables().remove(&table.addr()).is_none() {
        stop(Rule::BAD_FREE, "FreeMibTable", format_args!("{table:p} is no table"));
    }
}

fn left() -> Vec<String> {
    let line = |table: &MibTable| format!("a table of {} was not freed", table.function);
    tables().values().map(line).collect()
}

fn tables() -> MutexGuard<'static, BTreeMap<usize, MibTable>> {
    TABLES.lock().unwrap_or_else(PoisonError::into_inner)
}
