//! One packet of a batch: where its bytes come from, where they go, and what became of it.

use zeroize::Zeroize;

use crate::{NONCE_LEN, TAG_LEN};

/// Where the input bytes of a packet are.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// Scattered, as in an MDL chain, in this order. Each byte is read exactly once, so memory that
    /// someone else can write to does no harm: what is authenticated is what was copied.
    Fragments(&'a [&'a [u8]]),
    /// Already in the output buffer, which they fill.
    InPlace,
}

/// A packet to seal.
pub struct Seal<'a> {
    /// Must never repeat under one key.
    pub nonce: [u8; NONCE_LEN],
    /// Authenticated, not encrypted.
    pub aad: &'a [u8],
    /// The plaintext.
    pub source: Source<'a>,
    /// Receives the ciphertext. Where it is longer than the fragments, the plaintext is padded with
    /// zeros to its length.
    pub output: &'a mut [u8],
    /// Receives the authentication tag.
    pub tag: &'a mut [u8; TAG_LEN],
    /// Set by `seal`. Where it is not [`Sealing::Sealed`], `output` and `tag` are all zeros and
    /// must not be sent.
    pub sealing: Sealing,
}

impl<'a> Seal<'a> {
    /// A packet that waits to be sealed.
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

    /// Brings the padded plaintext into `output`. On `false` the packet has been refused.
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

    /// Says that this packet cannot be sealed, and leaves nothing that could be sent by mistake.
    pub(crate) fn refuse(&mut self) {
        self.output.zeroize();
        self.tag.zeroize();
        self.sealing = Sealing::Malformed;
    }
}

/// What became of a packet to seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealing {
    /// Not looked at yet.
    Pending,
    /// Ciphertext and tag are in place.
    Sealed,
    /// The caller's fault: the source is longer than the output, or the packet is longer than the
    /// suite allows (64 GiB or more).
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
    /// Set by `open`. Where it is not [`Verdict::Authentic`], `output` is all zeros.
    pub verdict: Verdict,
}

impl<'a> Open<'a> {
    /// A packet that waits to be opened.
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

    /// Brings the ciphertext into `output`. On `false` the packet has been refused.
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

    /// Says that this packet is no good, and leaves nothing of it.
    pub(crate) fn refuse(&mut self, verdict: Verdict) {
        self.output.zeroize();
        self.verdict = verdict;
    }
}

/// What became of a packet to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not looked at yet.
    Pending,
    /// The packet is what the holder of the key sealed; the plaintext is in place.
    Authentic,
    /// The sender's fault: wrong key, nonce, additional data, ciphertext or tag.
    Forged,
    /// The caller's fault: source and output differ in length.
    Malformed,
}

/// Copies `fragments` one behind the other to the front of `output` and gives back the rest of
/// `output`, or `None` when they do not fit.
fn copy<'o>(fragments: &[&[u8]], mut output: &'o mut [u8]) -> Option<&'o mut [u8]> {
    for fragment in fragments {
        let (front, rest) = output.split_at_mut_checked(fragment.len())?;
        front.copy_from_slice(fragment);
        output = rest;
    }
    Some(output)
}
