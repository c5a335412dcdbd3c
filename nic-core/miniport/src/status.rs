//! Every error of ours as an NTSTATUS; the one place.

use nic_engine::{AddPeerError, NoMemory};
use nt::Status;
use tunic_ioctl::{DecodeError, DecodeErrorKind};

/// Why a control request was refused.
#[derive(Clone, Copy, Debug)]
pub enum Refusal {
    /// The caller's bytes are no request.
    Decode(DecodeError),
    /// The engine can't take more peers or prefixes.
    AddPeer(AddPeerError),
    /// Memory ran out.
    NoMemory,
    /// The system said no.
    System(Status),
}

impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<AddPeerError> for Refusal {
    fn from(error: AddPeerError) -> Self {
        Self::AddPeer(error)
    }
}

impl From<NoMemory> for Refusal {
    fn from(_: NoMemory) -> Self {
        Self::NoMemory
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self::System(status)
    }
}

impl Refusal {
    /// What the caller gets.
    pub fn status(self) -> Status {
        match self {
            Self::Decode(error) => match error.kind {
                DecodeErrorKind::UnknownCode => Status::INVALID_DEVICE_REQUEST,
                DecodeErrorKind::UnsupportedVersion => Status::NOT_IMPLEMENTED,
                DecodeErrorKind::TooManyPeers => Status::TOO_MANY_NODES,
                _ => Status::INVALID_PARAMETER,
            },
            Self::AddPeer(AddPeerError::NoMemory) | Self::NoMemory => {
                Status::INSUFFICIENT_RESOURCES
            }
            Self::AddPeer(_) => Status::TOO_MANY_NODES,
            Self::System(status) => status,
        }
    }
}
