//! Maps every error to an NTSTATUS, in this place only.

use nic_engine::{AddPeerError, NoMemory};
use nt::Status;
use tunic_ioctl::{DecodeError, DecodeErrorKind};

/// Why a control request was refused.
#[derive(Clone, Copy, Debug)]
pub enum Refusal {
    /// The input is not a valid request.
    Decode(DecodeError),
    /// The engine cannot add the peer or prefix.
    AddPeer(AddPeerError),
    /// Memory ran out.
    NoMemory,
    /// A system call failed.
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
    /// The status of the request.
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
