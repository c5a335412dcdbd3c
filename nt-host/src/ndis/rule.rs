//! The rules of NDIS, by the name that is printed.

use crate::violation::Rule;

impl Rule {
    /// A handle that NDIS did not give, or that is no longer valid.
    pub const BAD_NDIS_HANDLE: Self = Self("BAD NDIS HANDLE");
    /// A call that is not allowed in the state the adapter is in.
    pub const WRONG_ADAPTER_STATE: Self = Self("WRONG ADAPTER STATE");
    /// MiniportInitializeEx succeeded without having set the attributes that it must set.
    pub const ATTRIBUTES_MISSING: Self = Self("ATTRIBUTES MISSING");
    /// The flag that says DISPATCH_LEVEL was set at another IRQL.
    pub const WRONG_DISPATCH_FLAG: Self = Self("WRONG DISPATCH FLAG");
    /// A pointer that is no NET_BUFFER_LIST or NET_BUFFER of a pool.
    pub const NOT_AN_NBL: Self = Self("NOT AN NBL");
    /// A sent NET_BUFFER_LIST was completed twice.
    pub const NBL_COMPLETED_TWICE: Self = Self("NBL COMPLETED TWICE");
    /// A NET_BUFFER_LIST was completed that was never sent to this adapter.
    pub const NBL_NEVER_SENT: Self = Self("NBL NEVER SENT");
    /// A sent NET_BUFFER_LIST was changed, or read in guard mode, after its completion.
    pub const NBL_TOUCHED_AFTER_COMPLETION: Self = Self("NBL TOUCHED AFTER COMPLETION");
    /// A sent NET_BUFFER_LIST came back with other NET_BUFFERs, or another status than the
    /// documented ones.
    pub const NBL_CHANGED: Self = Self("NBL CHANGED");
    /// A NET_BUFFER_LIST was indicated that is with the stack already, or was never allocated by
    /// the driver.
    pub const NBL_NOT_OWNED: Self = Self("NBL NOT OWNED");
    /// A NET_BUFFER_LIST was freed that is with the stack, or is free already.
    pub const NBL_BAD_FREE: Self = Self("NBL BAD FREE");
    /// A chain of NET_BUFFER_LISTs that is malformed: another length than said, or no data where
    /// data is promised.
    pub const NBL_BAD_CHAIN: Self = Self("NBL BAD CHAIN");
    /// A pool was freed, or the driver unloaded, with NET_BUFFER_LISTs or NET_BUFFERs of it left.
    pub const NBL_LEAK: Self = Self("NBL LEAK");
    /// A pause was completed with sends or indications outstanding.
    pub const PAUSE_COMPLETED_EARLY: Self = Self("PAUSE COMPLETED EARLY");
    /// Data was indicated in a state in which it must not be.
    pub const INDICATED_WHILE_PAUSED: Self = Self("INDICATED WHILE PAUSED");
    /// NDIS waited for something that never came: a completion of a send, an OID request, a pause
    /// or a restart.
    pub const NEVER_COMPLETED: Self = Self("NEVER COMPLETED");
    /// Something was completed that was not pending.
    pub const NOT_PENDING: Self = Self("NOT PENDING");
    /// The answer to an OID request is not one.
    pub const BAD_OID_ANSWER: Self = Self("BAD OID ANSWER");
    /// An offload was used before the stack has turned offloads on.
    pub const OFFLOAD_NOT_ON: Self = Self("OFFLOAD NOT ON");
    /// Offloads were changed as the stack wanted, and the stack was not told what they are since.
    pub const OFFLOAD_NOT_TOLD: Self = Self("OFFLOAD NOT TOLD");
}
