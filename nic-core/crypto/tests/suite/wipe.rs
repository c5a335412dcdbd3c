//! A dropped secret leaves nothing of itself in memory.

use core::mem::{MaybeUninit, size_of};
use core::ptr;

use nic_crypto::x25519::StaticSecret;
use nic_crypto::{AeadKey, Suite};

/// The memory of a `T` after its drop. It starts as zeros, so that bytes which `T` never wrote
/// compare equal.
fn remains<T>(make: impl FnOnce() -> T) -> Vec<u8> {
    let mut place = Box::new(MaybeUninit::<T>::zeroed());
    let start: *mut T = place.as_mut_ptr();
    place.write(make());
    // SAFETY: written in the line above, and not used as a `T` any more.
    unsafe { place.assume_init_drop() };
    (0..size_of::<T>())
        .map(|offset| {
            let byte = start.cast::<u8>().wrapping_add(offset);
            // SAFETY: inside the box; all of it was initialized, at least with zeros.
            unsafe { ptr::read_volatile(byte) }
        })
        .collect()
}

#[test]
fn the_remains_of_a_key_do_not_depend_on_it() {
    for suite in Suite::ALL {
        let len = suite.key_len();
        let key = |byte| AeadKey::new(suite, &vec![byte; len]).unwrap();
        assert!(remains(|| key(0x11)) == remains(|| key(0xe7)), "{suite:?}");
        let cloned = |byte| remains(|| key(byte).clone());
        assert!(cloned(0x11) == cloned(0xe7), "{suite:?}, cloned");
    }
}

#[test]
fn nothing_remains_of_a_static_secret() {
    assert_eq!(
        remains(|| StaticSecret::from_bytes([0x77; 32])),
        vec![0; size_of::<StaticSecret>()]
    );
}
