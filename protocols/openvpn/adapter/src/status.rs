//! Maps every refusal of an OpenVPN adapter to an NTSTATUS of the caller's ABI.

use nic_miniport::status::Refusal;
use nic_openvpn::configure::{AddRouteError, InstallKeyError, NewPeerError, SetModeError};
use nt::Status;
use tunic_ioctl::ovpn_dco::WriteError;
use tunic_ioctl::{Abi, DecodeError, DecodeErrorKind};

/// The result of a command to an OpenVPN adapter.
pub(crate) type ChannelResult<T> = Result<T, ChannelRefusal>;

/// Why an OpenVPN adapter refused a command.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ChannelRefusal {
    /// The input is not a valid request.
    Decode(DecodeError),
    /// The input is not a datagram with its address.
    Write(WriteError),
    /// Another file owns the adapter or has set it up.
    NotOwner,
    /// Wrong mode, or there is no socket yet.
    WrongMode,
    /// The peer does not exist.
    NoPeer(PeerUse),
    /// The peer exists already.
    PeerExists,
    /// The maximum number of peers is reached.
    TooManyPeers,
    /// The route or key does not exist.
    NotFound,
    /// The ID is invalid.
    BadId,
    /// The key is invalid.
    BadKey,
    /// The prefix is invalid.
    BadPrefix,
    /// The local and the remote address differ in family.
    FamilyMismatch,
    /// Peers over TCP are not implemented.
    NoTcp,
    /// Memory ran out.
    NoMemory,
    /// A system call failed.
    System(Status),
}

/// The purpose of a peer lookup. ovpn-dco-win has a status for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PeerUse {
    /// To change it, or to connect the link to it.
    Change,
    /// To give it a key.
    Key,
    /// To remove it.
    Delete,
    /// To query its counters.
    Statistics,
}

impl ChannelRefusal {
    /// The status in the caller's ABI.
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
            // The sockets were closed meanwhile.
            Self::System(status) if status == Status::DEVICE_NOT_READY => {
                Status::INVALID_DEVICE_STATE
            }
            Self::System(status) => status,
        }
    }
}

/// The status that ovpn-dco-win returns for invalid input.
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
