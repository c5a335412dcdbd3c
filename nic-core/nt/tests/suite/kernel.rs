//! The wrappers of kernel services, on nt-host.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nic_crypto::{ExtendedState, Level, Processor};
use nt::event::{Event, EventKind, Wait};
use nt::extended_state::ExtendedRegisters;
use nt::lock::{SleepMutex, SpinMutex};
use nt::pool::PoolAllocator;
use nt::rundown::Rundown;
use nt::semaphore::Semaphore;
use nt::thread::Thread;
use nt::{Passive, PoolBox, Shared, Status};
use nt_host::{irql, pool};

use crate::alone;

#[test]
fn the_allocator_honours_every_alignment() {
    let _alone = alone();
    for align in (0..13).map(|shift| 1_usize << shift) {
        for size in [1, 7, align, 3 * align + 5] {
            let layout = Layout::from_size_align(size, align).unwrap();
            // SAFETY: the size isn't 0.
            let block = unsafe { PoolAllocator.alloc_zeroed(layout) };
            assert!(!block.is_null() && block.addr() % align == 0, "{layout:?}");
            // SAFETY: the block has that many bytes, which are zero.
            let bytes = unsafe { std::slice::from_raw_parts_mut(block, size) };
            assert!(bytes.iter().all(|byte| *byte == 0), "{layout:?}");
            bytes.fill(0xa5);
            // SAFETY: allocated with this layout.
            unsafe { PoolAllocator.dealloc(block, layout) };
        }
    }
}

#[test]
fn a_wide_tier_needs_a_batch_that_pays_for_a_save_that_succeeds() {
    let _alone = alone();
    let passive = Passive::check().expect("a thread starts at PASSIVE_LEVEL");
    let registers = ExtendedRegisters::detect(passive);
    let machine = Processor::detect();
    let level = |bytes| {
        let mut level = Level::Portable;
        registers.with_tier(bytes, |tier| level = tier.gcm());
        level
    };
    let narrow = machine.base().gcm();
    assert_eq!(level(64), narrow);
    let wide = level(64 << 10);
    assert_eq!(wide, machine.extended(&ExtendedState::of_process()).gcm());
    pool::fail_allocation(1);
    assert_eq!(level(64 << 10), narrow);
    pool::fail_allocation(0);
    assert_eq!(level(64 << 10), wide);
}

/// Counts its drops.
struct Counted(Arc<AtomicU32>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn owned_and_shared_objects_are_dropped_once() {
    let _alone = alone();
    let drops = Arc::new(AtomicU32::new(0));
    drop(PoolBox::new(Counted(drops.clone())).unwrap());
    assert_eq!(drops.load(Ordering::Relaxed), 1);

    let first = Shared::new(Counted(drops.clone())).unwrap();
    let second = first.clone();
    assert!(first.is_same(&second));
    drop(first);
    assert_eq!(drops.load(Ordering::Relaxed), 1);
    drop(second);
    assert_eq!(drops.load(Ordering::Relaxed), 2);
}

#[test]
fn holders_of_a_spin_lock_run_at_dispatch_level() {
    let _alone = alone();
    let lock = SpinMutex::new(5);
    assert_eq!(irql::current(), 0);
    let guard = lock.lock();
    assert_eq!(irql::current(), 2);
    assert!(Passive::check().is_none());
    assert!(lock.try_lock().is_none());
    drop(guard);
    assert_eq!(irql::current(), 0);
    assert_eq!(*lock.try_lock().expect("it is free"), 5);
}

#[test]
fn locks_exclude() {
    let _alone = alone();
    let counters = Arc::new((SpinMutex::new(0), SleepMutex::new(0)));
    let threads: Vec<Thread> = (0..4)
        .map(|_| {
            let counters = counters.clone();
            Thread::spawn(move |_| {
                for _ in 0..1000 {
                    *counters.0.lock() += 1;
                    *counters.1.lock() += 1;
                }
            })
            .unwrap()
        })
        .collect();
    drop(threads);
    assert_eq!(*counters.0.lock(), 4000);
    assert_eq!(*counters.1.lock(), 4000);
}

#[test]
fn events_let_go_one_or_all() {
    let _alone = alone();
    let passive = Passive::check().expect("tests run at PASSIVE_LEVEL");
    let automatic = Event::new(EventKind::Automatic).unwrap();
    assert_eq!(automatic.wait_for(Duration::from_millis(1), passive), Wait::TimedOut);
    automatic.set();
    assert_eq!(automatic.wait_for(Duration::from_secs(5), passive), Wait::Satisfied);
    assert_eq!(automatic.wait_for(Duration::ZERO, passive), Wait::TimedOut);
    let manual = Event::new(EventKind::Manual).unwrap();
    manual.set();
    manual.wait(passive);
    manual.wait(passive);
    manual.clear();
    assert_eq!(manual.wait_for(Duration::ZERO, passive), Wait::TimedOut);
}

#[test]
fn a_semaphore_lets_go_as_many_as_it_was_told() {
    let _alone = alone();
    let semaphore = Arc::new(Semaphore::new().unwrap());
    let passed = Arc::new(AtomicU32::new(0));
    let threads: Vec<Thread> = (0..3)
        .map(|_| {
            let (semaphore, passed) = (semaphore.clone(), passed.clone());
            Thread::spawn(move |passive| {
                semaphore.wait(passive);
                passed.fetch_add(1, Ordering::SeqCst);
            })
            .unwrap()
        })
        .collect();
    semaphore.release(0);
    semaphore.release(2);
    semaphore.release(1);
    drop(threads);
    assert_eq!(passed.load(Ordering::SeqCst), 3);
}

#[test]
fn a_shared_object_is_owned_as_what_it_implements() {
    let _alone = alone();
    trait Named: Send + Sync {
        fn name(&self) -> &str;
    }

    /// Larger than a pointer, and dropped by what it really is.
    struct Object {
        name: [u8; 40],
        _counted: Counted,
    }

    impl Named for Object {
        fn name(&self) -> &str {
            core::str::from_utf8(&self.name).unwrap().trim_end()
        }
    }

    let drops = Arc::new(AtomicU32::new(0));
    let object = Object {
        name: *b"an adapter                              ",
        _counted: Counted(drops.clone()),
    };
    let typed = Shared::new(object).unwrap();
    let named: Shared<dyn Named> = typed.clone().unsize(|inner| inner);
    let other = named.clone();
    assert!(named.is_same(&other));
    drop(typed);
    drop(named);
    assert_eq!((other.name(), drops.load(Ordering::SeqCst)), ("an adapter", 0));
    drop(other);
    assert_eq!(drops.load(Ordering::SeqCst), 1);
}

#[test]
fn a_rundown_waits_for_its_uses() {
    let _alone = alone();
    let rundown = Shared::new(Rundown::closed().unwrap()).unwrap();
    assert!(!rundown.enter(1), "it is closed at first");
    rundown.wait();
    rundown.open();
    assert!(rundown.enter(5));
    assert_eq!(rundown.uses(), 5);
    rundown.close();
    assert!(!rundown.enter(1));
    assert_eq!(rundown.wait_for(Duration::from_millis(1)), Wait::TimedOut);
    let for_thread = rundown.clone();
    let thread = Thread::spawn(move |_| {
        for_thread.leave(3);
        for_thread.leave(2);
    })
    .unwrap();
    rundown.wait();
    assert_eq!(rundown.uses(), 0);
    drop(thread);
    rundown.open();
    assert!(rundown.enter(1));
    rundown.leave(1);
}

#[test]
fn random_bytes_differ_and_clocks_run() {
    let _alone = alone();
    let (mut first, mut second) = ([0; 32], [0; 32]);
    nt::random::fill(&mut first).unwrap();
    nt::random::fill(&mut second).unwrap();
    assert_ne!(first, second);
    let before = nt::clock::interrupt_time_nanos();
    assert!(nt::clock::interrupt_time_nanos() >= before);
    // 2020-01-01.
    assert!(nt::clock::unix_time() > Duration::from_secs(1_577_836_800));
}

#[test]
fn statuses_tell_success_from_failure() {
    let _alone = alone();
    assert_eq!(Status::PENDING.ok(), Ok(()));
    assert_eq!(Status::ALREADY_COMPLETE.ok(), Ok(()));
    assert_eq!(Status::BUFFER_OVERFLOW.ok(), Err(Status::BUFFER_OVERFLOW));
    assert_eq!(Status::of(Err(Status::CANCELLED)), Status::CANCELLED);
    assert_eq!(Status::of(Ok(())), Status::SUCCESS);
}
