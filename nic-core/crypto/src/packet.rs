//! A packet of a batch: source, destination and result.

use zeroize::Zeroize;

use crate::{NONCE_LEN, TAG_LEN};

/// The location of the input of a packet.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// Fragments in order, such as those of an MDL chain. Each byte is read exactly once, so that
    /// the memory may be writable by others: the copy is authenticated.
    Fragments(&'a [&'a [u8]]),
    /// The output buffer, which holds the input.
    InPlace,
}

#[cfg(target_arch = "x86_64")]
impl Source<'_> {
    /// Whether an output of `len` bytes holds the input.
    pub(crate) fn fits(&self, len: usize) -> bool {
        self.len(len).is_some_and(|input| input <= len)
    }

    /// Whether the input is as long as an output of `len` bytes.
    pub(crate) fn fills(&self, len: usize) -> bool {
        self.len(len) == Some(len)
    }

    /// The length of the input, whose output is `len` bytes long.
    fn len(&self, len: usize) -> Option<usize> {
        match self {
            Self::InPlace => Some(len),
            Self::Fragments(fragments) => {
                fragments.iter().try_fold(0_usize, |sum, fragment| sum.checked_add(fragment.len()))
            }
        }
    }
}

/// A packet to seal.
pub struct Seal<'a> {
    /// Must never repeat under one key.
    pub nonce: [u8; NONCE_LEN],
    /// Authenticated, not encrypted.
    pub aad: &'a [u8],
    /// The plaintext.
    pub source: Source<'a>,
    /// Receives the ciphertext. If it is longer than the fragments, the plaintext is padded with
    /// zeros to its length.
    pub output: &'a mut [u8],
    /// Receives the authentication tag.
    pub tag: &'a mut [u8; TAG_LEN],
    /// Set by `seal`. If it is not [`Sealing::Sealed`], `output` and `tag` are all zeros and must
    /// not be sent.
    pub sealing: Sealing,
}

impl<'a> Seal<'a> {
    /// A packet to be sealed.
    #[must_use]
    pub fn new(
        nonce: [u8; NONCE_LEN],
        aad: &'a [u8],
        source: Source<'a>,
        output: &'a mut [u8],
        tag: &'a mut [u8; TAG_LEN],
    ) -> Self {
        Self { nonce, aad, source, output, tag, sealing: Sealing::Pending }
    }

    /// Copies the padded plaintext to `output`. If that fails, refuses the packet and returns
    /// false.
    pub(crate) fn gather(&mut self) -> bool {
        let fits = match self.source {
            Source::InPlace => true,
            Source::Fragments(fragments) => match copy(fragments, self.output) {
                Some(padding) => {
                    padding.fill(0);
                    true
                }
                None => false,
            },
        };
        if !fits {
            self.refuse();
        }
        fits
    }

    /// Marks the packet as malformed, and zeroes its output.
    pub(crate) fn refuse(&mut self) {
        self.output.zeroize();
        self.tag.zeroize();
        self.sealing = Sealing::Malformed;
    }
}

/// The result of sealing a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealing {
    /// Not processed yet.
    Pending,
    /// Ciphertext and tag are in place.
    Sealed,
    /// The source is longer than the output, or the packet is longer than the suite allows (64 GiB
    /// or more): the fault of the caller.
    Malformed,
}

/// A packet to open.
pub struct Open<'a> {
    /// The nonce it was sealed with.
    pub nonce: [u8; NONCE_LEN],
    /// The additional data it was sealed with.
    pub aad: &'a [u8],
    /// The ciphertext, without the tag.
    pub source: Source<'a>,
    /// The authentication tag as received.
    pub tag: [u8; TAG_LEN],
    /// Receives the plaintext; exactly as long as the ciphertext.
    pub output: &'a mut [u8],
    /// Set by `open`. If it is not [`Verdict::Authentic`], `output` is all zeros.
    pub verdict: Verdict,
}

impl<'a> Open<'a> {
    /// A packet to be opened.
    #[must_use]
    pub fn new(
        nonce: [u8; NONCE_LEN],
        aad: &'a [u8],
        source: Source<'a>,
        tag: [u8; TAG_LEN],
        output: &'a mut [u8],
    ) -> Self {
        Self { nonce, aad, source, tag, output, verdict: Verdict::Pending }
    }

    /// Copies the ciphertext to `output`. If that fails, refuses the packet and returns false.
    pub(crate) fn gather(&mut self) -> bool {
        let fits = match self.source {
            Source::InPlace => true,
            Source::Fragments(fragments) => {
                copy(fragments, self.output).is_some_and(|rest| rest.is_empty())
            }
        };
        if !fits {
            self.refuse(Verdict::Malformed);
        }
        fits
    }

    /// Sets the verdict, and zeroes the output.
    pub(crate) fn refuse(&mut self, verdict: Verdict) {
        self.output.zeroize();
        self.verdict = verdict;
    }
}

/// The result of opening a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not processed yet.
    Pending,
    /// The packet was sealed with this key; the plaintext is in place.
    Authentic,
    /// Key, nonce, additional data, ciphertext or tag do not match: the fault of the sender.
    Forged,
    /// Source and output differ in length: the fault of the caller.
    Malformed,
}

/// Copies the concatenated `fragments` to the beginning of `output`. Returns the rest of `output`,
/// or `None` if they do not fit.
fn copy<'o>(fragments: &[&[u8]], mut output: &'o mut [u8]) -> Option<&'o mut [u8]> {
    for fragment in fragments {
        let (front, rest) = output.split_at_mut_checked(fragment.len())?;
        front.copy_from_slice(fragment);
        output = rest;
    }
    Some(output)
}
