//! The rules of NDIS, with their names in reports.

use crate::violation::Rule;

impl Rule {
    /// A handle is not one of NDIS, or is no longer valid.
    pub const BAD_NDIS_HANDLE: Self = Self("BAD NDIS HANDLE");
    /// NDIS got a request for a file that it did not open, or that the driver changed.
    pub const NOT_NDIS_FILE: Self = Self("NOT NDIS FILE");
    /// A call is not allowed in the state of the adapter.
    pub const WRONG_ADAPTER_STATE: Self = Self("WRONG ADAPTER STATE");
    /// MiniportInitializeEx succeeded without setting mandatory attributes.
    pub const ATTRIBUTES_MISSING: Self = Self("ATTRIBUTES MISSING");
    /// The DISPATCH_LEVEL flag was set at another IRQL.
    pub const WRONG_DISPATCH_FLAG: Self = Self("WRONG DISPATCH FLAG");
    /// A pointer is not a NET_BUFFER_LIST or NET_BUFFER of a pool.
    pub const NOT_AN_NBL: Self = Self("NOT AN NBL");
    /// A sent NET_BUFFER_LIST was completed twice.
    pub const NBL_COMPLETED_TWICE: Self = Self("NBL COMPLETED TWICE");
    /// A NET_BUFFER_LIST was completed that was never sent to this adapter.
    pub const NBL_NEVER_SENT: Self = Self("NBL NEVER SENT");
    /// A sent NET_BUFFER_LIST was accessed after its completion: written, or, in guard mode, read.
    pub const NBL_TOUCHED_AFTER_COMPLETION: Self = Self("NBL TOUCHED AFTER COMPLETION");
    /// A sent NET_BUFFER_LIST was completed with other NET_BUFFERs, or with an undocumented status.
    pub const NBL_CHANGED: Self = Self("NBL CHANGED");
    /// A NET_BUFFER_LIST was indicated that the stack already owns, or that the driver did not
    /// allocate.
    pub const NBL_NOT_OWNED: Self = Self("NBL NOT OWNED");
    /// A NET_BUFFER_LIST was freed that the stack owns, or that is already free.
    pub const NBL_BAD_FREE: Self = Self("NBL BAD FREE");
    /// A chain of NET_BUFFER_LISTs is malformed: its length is not the stated one, or data is
    /// missing.
    pub const NBL_BAD_CHAIN: Self = Self("NBL BAD CHAIN");
    /// NET_BUFFER_LISTs or NET_BUFFERs were left when their pool was freed or the driver was
    /// unloaded.
    pub const NBL_LEAK: Self = Self("NBL LEAK");
    /// A pause was completed with sends or indications outstanding.
    pub const PAUSE_COMPLETED_EARLY: Self = Self("PAUSE COMPLETED EARLY");
    /// Data was indicated in a state that does not allow it.
    pub const INDICATED_WHILE_PAUSED: Self = Self("INDICATED WHILE PAUSED");
    /// NDIS waited in vain for the completion of a send, an OID request, a pause or a restart.
    pub const NEVER_COMPLETED: Self = Self("NEVER COMPLETED");
    /// A completion for an operation that is not pending.
    pub const NOT_PENDING: Self = Self("NOT PENDING");
    /// The answer to an OID request is malformed.
    pub const BAD_OID_ANSWER: Self = Self("BAD OID ANSWER");
    /// An offload was used before the stack has enabled it.
    pub const OFFLOAD_NOT_ON: Self = Self("OFFLOAD NOT ON");
    /// The driver accepted a change of offloads without indicating its new configuration.
    pub const OFFLOAD_NOT_TOLD: Self = Self("OFFLOAD NOT TOLD");
}
