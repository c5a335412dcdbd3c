//! Nothing in this crate uses the heap: every allocation of this thread is counted.

use core::cell::Cell;
use std::alloc::{GlobalAlloc, Layout, System};

use nic_crypto::x25519::{StaticSecret, diffie_hellman, public_key};
use nic_crypto::{
    AeadKey, Open, Processor, Seal, Source, Suite, Tier, Verdict, blake2s, xchacha20poly1305,
};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps to `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps to `dealloc`'s contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations() -> usize {
    ALLOCATIONS.get()
}

#[test]
fn nothing_allocates() {
    let before = allocations();
    drop(core::hint::black_box(Box::new(1)));
    assert_eq!(allocations(), before + 1, "the counter counts");

    let text = [0x5a; 1420];
    let mut output = [0; 1424];
    let before = allocations();
    for suite in Suite::ALL {
        let key = AeadKey::new(suite, &[9; 32][..suite.key_len()]).unwrap();
        let mut tag = [0; 16];
        let fragments = [&text[..700], &text[700..]];
        let source = Source::Fragments(&fragments);
        key.seal(tier(), &mut [Seal::new([1; 12], b"aad", source, &mut output, &mut tag)]);
        let copy = key.clone();
        for (wrong, verdict) in [(0, Verdict::Authentic), (1, Verdict::Forged)] {
            let mut opened = [0; 1424];
            let fragments = [&output[..]];
            tag[0] ^= wrong;
            let source = Source::Fragments(&fragments);
            let mut packets = [Open::new([1; 12], b"aad", source, tag, &mut opened)];
            copy.open(tier(), &mut packets);
            assert!(packets[0].verdict == verdict);
        }
    }
    let tag = xchacha20poly1305::seal_in_place(&[1; 32], &[2; 24], &[], &mut output).unwrap();
    xchacha20poly1305::open_in_place(&[1; 32], &[2; 24], &[], &mut output, &tag).unwrap();
    let secret = StaticSecret::generate(blake2s::hash(&[&text]));
    let shared = diffie_hellman(&secret, &public_key(&secret)).unwrap();
    let [chaining_key, _, _] = blake2s::hkdf3(&[0; 32], shared.as_bytes());
    let mac = blake2s::keyed_mac16(&chaining_key, &[&text]);
    core::hint::black_box(mac);
    assert_eq!(allocations(), before);
}

fn tier() -> Tier<'static> {
    Processor::PORTABLE.base()
}
