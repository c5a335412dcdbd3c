//! The instructions that a batch may use.

use core::marker::PhantomData;

/// The kernels of a suite: each level needs a processor that has its instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The portable code of the RustCrypto crates.
    Portable,
    /// SSSE3 and SSE4.1; AES-NI and PCLMULQDQ for AES-GCM. Legal anywhere in a Windows kernel.
    Sse,
    /// AVX2; VAES and VPCLMULQDQ for AES-GCM.
    Avx2,
    /// AVX-512 F, BW, DQ and VL; IFMA for ChaCha20-Poly1305, VAES and VPCLMULQDQ for AES-GCM.
    Avx512,
}

/// What the processor has. All processors of a machine have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Processor {
    chacha: Level,
    gcm: Level,
}

impl Processor {
    /// A processor of which nothing is known.
    pub const PORTABLE: Self = Self { chacha: Level::Portable, gcm: Level::Portable };

    /// Asks the processor. CPUID takes microseconds in a virtual machine: call it once.
    #[must_use]
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        return crate::backend::detect();
        #[cfg(not(target_arch = "x86_64"))]
        Self::PORTABLE
    }

    #[cfg(target_arch = "x86_64")]
    pub(crate) fn new(chacha: Level, gcm: Level) -> Self {
        Self { chacha, gcm }
    }

    /// The same without levels above `highest`.
    #[must_use]
    pub fn limited(self, highest: Level) -> Self {
        Self { chacha: self.chacha.min(highest), gcm: self.gcm.min(highest) }
    }

    /// The tier that may be used anywhere.
    #[must_use]
    pub fn base(self) -> Tier<'static> {
        Tier { processor: self.limited(Level::Sse), state: PhantomData }
    }

    /// The tier that may be used while the extended state is saved.
    #[must_use]
    pub fn extended<'s>(self, _saved: &'s ExtendedState<'_>) -> Tier<'s> {
        Tier { processor: self, state: PhantomData }
    }
}

/// The instructions that a batch may use.
#[derive(Clone, Copy, Debug)]
pub struct Tier<'s> {
    processor: Processor,
    state: PhantomData<&'s ()>,
}

impl Tier<'_> {
    /// The level of ChaCha20-Poly1305.
    #[must_use]
    pub fn chacha(self) -> Level {
        self.processor.chacha
    }

    /// The level of the AES-GCM suites.
    #[must_use]
    pub fn gcm(self) -> Level {
        self.processor.gcm
    }
}

/// Proof that registers beyond XMM may be used: in a Windows kernel, that
/// KeSaveExtendedProcessorState has saved them and they are not restored yet.
#[derive(Debug)]
pub struct ExtendedState<'s>(PhantomData<&'s ()>);

impl ExtendedState<'_> {
    /// # Safety
    ///
    /// For the value's life, the current thread may use every register that XGETBV reports.
    #[must_use]
    #[allow(unsafe_code, reason = "only the caller knows whether the state is saved")]
    pub unsafe fn assume_saved() -> Self {
        Self(PhantomData)
    }

    /// In a process of Linux the system saves the state of a thread.
    #[cfg(target_os = "linux")]
    #[must_use]
    pub fn of_process() -> Self {
        Self(PhantomData)
    }
}
