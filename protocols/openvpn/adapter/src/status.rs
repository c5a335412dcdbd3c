//! Every refusal of an OpenVPN adapter as an NTSTATUS, in the caller's ABI.

use nic_miniport::status::Refusal;
use nic_openvpn::configure::{AddRouteError, InstallKeyError, NewPeerError, SetModeError};
use nt::Status;
use tunic_ioctl::ovpn_dco::WriteError;
use tunic_ioctl::{Abi, DecodeError, DecodeErrorKind};

/// The result of something that an adapter with its handshake in userspace is asked for.
pub(crate) type ChannelResult<T> = Result<T, ChannelRefusal>;

/// Why an adapter with its handshake in userspace has refused something.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ChannelRefusal {
    /// The caller's bytes are no request.
    Decode(DecodeError),
    /// The caller's bytes are no datagram with its address.
    Write(WriteError),
    /// Somebody else owns the adapter, or has set it up.
    NotOwner,
    /// Not in this mode, or there is no socket yet.
    WrongMode,
    /// There is no such peer.
    NoPeer(PeerUse),
    /// There is such a peer already.
    PeerExists,
    /// There are as many peers as there can be.
    TooManyPeers,
    /// There is no such route, or no key.
    NotFound,
    /// An id that is none.
    BadId,
    /// A key that is none.
    BadKey,
    /// A prefix that is none.
    BadPrefix,
    /// Local and remote address are of two families.
    FamilyMismatch,
    /// Peers over TCP are not implemented.
    NoTcp,
    /// Memory ran out.
    NoMemory,
    /// The system said no.
    System(Status),
}

/// What a peer was looked for, which ovpn-dco-win tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PeerUse {
    /// To change it, or to connect the link to it.
    Change,
    /// To give it a key.
    Key,
    /// To remove it.
    Delete,
    /// To tell its counters.
    Statistics,
}

impl ChannelRefusal {
    /// What the caller gets, in its ABI.
    pub(crate) fn status(self, abi: Abi) -> Status {
        let is_native = abi == Abi::Native;
        match self {
            Self::Decode(error) if is_native => Refusal::from(error).status(),
            Self::Decode(error) => ovpn_dco_status(error.kind),
            Self::Write(WriteError::BadAddress) => Status::INVALID_ADDRESS,
            Self::Write(WriteError::Empty) => Status::INVALID_MESSAGE,
            Self::Write(WriteError::TooLong) => Status::INVALID_BUFFER_SIZE,
            Self::NotOwner => Status::ACCESS_DENIED,
            Self::WrongMode => Status::INVALID_DEVICE_STATE,
            Self::NoPeer(_) if is_native => Status::NOT_FOUND,
            Self::NoPeer(PeerUse::Change) => Status::INVALID_DEVICE_REQUEST,
            Self::NoPeer(PeerUse::Key | PeerUse::Statistics) => Status::OBJECTID_NOT_FOUND,
            Self::NoPeer(PeerUse::Delete) | Self::NotFound => Status::NOT_FOUND,
            Self::PeerExists => Status::OBJECTID_EXISTS,
            Self::TooManyPeers => Status::TOO_MANY_NODES,
            Self::FamilyMismatch if is_native => Status::INVALID_PARAMETER,
            Self::FamilyMismatch => Status::INVALID_DEVICE_REQUEST,
            Self::BadId | Self::BadKey | Self::BadPrefix => Status::INVALID_PARAMETER,
            Self::NoTcp => Status::NOT_SUPPORTED,
            Self::NoMemory if is_native => Status::INSUFFICIENT_RESOURCES,
            Self::NoMemory => Status::NO_MEMORY,
            // The sockets have gone meanwhile.
            Self::System(status) if status == Status::DEVICE_NOT_READY => {
                Status::INVALID_DEVICE_STATE
            }
            Self::System(status) => status,
        }
    }
}

/// What ovpn-dco-win answers to bytes that are no request.
pub(crate) fn ovpn_dco_status(kind: DecodeErrorKind) -> Status {
    match kind {
        DecodeErrorKind::InputTooSmall => Status::BUFFER_TOO_SMALL,
        DecodeErrorKind::UnknownCode
        | DecodeErrorKind::BadAddressFamily
        | DecodeErrorKind::BadTransport
        | DecodeErrorKind::BadSlot
        | DecodeErrorKind::BadSuite
        | DecodeErrorKind::KeyTooLong => Status::INVALID_DEVICE_REQUEST,
        _ => Status::INVALID_PARAMETER,
    }
}

impl From<DecodeError> for ChannelRefusal {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<WriteError> for ChannelRefusal {
    fn from(error: WriteError) -> Self {
        Self::Write(error)
    }
}

impl From<Status> for ChannelRefusal {
    fn from(status: Status) -> Self {
        Self::System(status)
    }
}

impl From<SetModeError> for ChannelRefusal {
    fn from(SetModeError::HasPeers: SetModeError) -> Self {
        Self::WrongMode
    }
}

impl From<NewPeerError> for ChannelRefusal {
    fn from(error: NewPeerError) -> Self {
        match error {
            NewPeerError::WrongMode => Self::WrongMode,
            NewPeerError::BadId => Self::BadId,
            NewPeerError::Exists => Self::PeerExists,
            NewPeerError::TooManyPeers => Self::TooManyPeers,
            NewPeerError::NoMemory => Self::NoMemory,
        }
    }
}

impl From<InstallKeyError> for ChannelRefusal {
    fn from(error: InstallKeyError) -> Self {
        match error {
            InstallKeyError::NoPeer => Self::NoPeer(PeerUse::Key),
            InstallKeyError::BadKey(_) => Self::BadKey,
            InstallKeyError::BadId => Self::BadId,
            InstallKeyError::NoMemory => Self::NoMemory,
        }
    }
}

impl From<AddRouteError> for ChannelRefusal {
    fn from(error: AddRouteError) -> Self {
        match error {
            AddRouteError::NoPeer => Self::NoPeer(PeerUse::Change),
            AddRouteError::WrongMode => Self::WrongMode,
            AddRouteError::BadLength => Self::BadPrefix,
            AddRouteError::NoMemory => Self::NoMemory,
        }
    }
}
