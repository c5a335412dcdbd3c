//! The protocols that an adapter can speak: one line for each.
//!
//! An adapter speaks one protocol for as long as it exists, and its code is generic over that.
//! NDIS, the control device and the workers have adapters of all protocols: they hold an
//! [`AnyAdapter`] or an [`AnyJob`], and choose once per call or job.

use nic_openvpn::OpenVpn;
use nic_wireguard::WireGuard;
use nt::miniport::AdapterHandle;
use nt::{Result, Shared, Status};
use tunic_ioctl::AdapterId;

use crate::adapter::{self, Adapter, AdapterProtocol, Keywords};
use crate::driver::Core;
use crate::workers::Job;

/// Makes what chooses between protocols of a list of them. `$d` is a dollar sign, for the macro
/// that is made.
macro_rules! protocols {
    ($d:tt $($name:ident,)+) => {
        /// An adapter, whatever it speaks.
        #[derive(Clone)]
        pub(crate) enum AnyAdapter {
            $(
                #[doc = concat!("It speaks ", stringify!($name), ".")]
                $name(Shared<Adapter<$name>>),
            )+
        }

        /// A job for the workers.
        pub(crate) enum AnyJob {
            $(
                #[doc = concat!("Its adapter speaks ", stringify!($name), ".")]
                $name(Job<$name>),
            )+
        }

        $(
            impl Listed for $name {
                fn any_adapter(adapter: Shared<Adapter<Self>>) -> AnyAdapter {
                    AnyAdapter::$name(adapter)
                }

                fn any_job(job: Job<Self>) -> AnyJob {
                    AnyJob::$name(job)
                }
            }
        )+

        impl AnyAdapter {
            /// Makes an adapter of the protocol that its keywords ask for; the first of the list
            /// where they ask for none.
            ///
            /// # IRQL
            /// `PASSIVE_LEVEL`
            pub(crate) fn new(core: &Shared<Core>, handle: AdapterHandle, keywords: &Keywords) -> Result<Self> {
                $(
                    if keywords.asks_for($name::KEYWORD) {
                        return adapter::make::<$name>(core, handle, keywords).map(Self::$name);
                    }
                )+
                Err(Status::NOT_SUPPORTED)
            }
        }

        impl AnyJob {
            /// Does it.
            pub(crate) fn run(self) {
                match self {
                    $(Self::$name(job) => job.run(),)+
                }
            }
        }

        /// What the driver says that it can, in the native ABI.
        pub(crate) const CAPABILITIES: u64 = 0 $(| $name::CAPABILITY)+;

        /// Evaluates an expression with the adapter of an [`AnyAdapter`], whatever it speaks.
        macro_rules! with_adapter {
            ($d any:expr, $d adapter:ident => $d body:expr) => {
                match $d any {
                    $($crate::protocols::AnyAdapter::$name($d adapter) => $d body,)+
                }
            };
        }
    };
}

/// A protocol that is in the list below.
pub(crate) trait Listed: Sized {
    /// As one of all adapters.
    fn any_adapter(adapter: Shared<Adapter<Self>>) -> AnyAdapter
    where
        Self: AdapterProtocol;

    /// As one of all jobs.
    fn any_job(job: Job<Self>) -> AnyJob
    where
        Self: AdapterProtocol;
}

protocols! { $
    WireGuard,
    OpenVpn,
}

impl AnyAdapter {
    /// Its GUID.
    pub(crate) fn id(&self) -> AdapterId {
        with_adapter!(self, adapter => adapter.id)
    }

    /// Its name, UTF-8.
    pub(crate) fn name(&self) -> &[u8] {
        with_adapter!(self, adapter => adapter.name.as_bytes())
    }

    /// Whether it is found by ovpn-dco-win's names as well.
    pub(crate) fn is_ovpn_dco(&self) -> bool {
        with_adapter!(self, adapter => adapter.is_ovpn_dco)
    }

    /// Whether both are the same adapter.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        core::ptr::eq(self.address(), other.address())
    }

    fn address(&self) -> *const () {
        with_adapter!(self, adapter => core::ptr::from_ref(&**adapter).cast())
    }
}
