//! What the kernel and WSK do for threads of the test, and the watch on the order of locks.
//!
//! A binary of its own, because no test in this process loads a driver: once a driver is unloaded,
//! nt-host stops the process at the next callback, and these tests have callbacks without a driver.
//! It also declares [`DriverHeap`] as its global allocator, so that locks in the heap are watched.

#[path = "../suite/child.rs"]
mod child;
#[path = "../suite/driver.rs"]
#[expect(dead_code, reason = "not all of the driver is needed")]
mod driver;
mod kernel;
mod lock_order;
mod netio;
mod wsk;
mod wsk_client;

use nt_host::heap::DriverHeap;

#[global_allocator]
static HEAP: DriverHeap = DriverHeap;
