//! What WireGuardNT's clients find on an adapter's own device: they open the first interface of
//! network adapters that its devnode has, which is NDIS's.

use nic_miniport::own_device::DeviceAbi;
use nt::security::{ALL, Descriptor, READ_DATA, Sid, WRITE_DATA};
use tunic_ioctl::wireguard_nt::{
    IOCTL_GET, IOCTL_READ_LOG_LINE, IOCTL_SET, IOCTL_SET_ADAPTER_STATE,
};

/// `O:SYD:P(A;;FA;;;SY)(A;;FA;;;BA)S:(ML;;NWNRNX;;;HI)`: keys are for the system and for elevated
/// administrators.
static GUARD: Descriptor =
    Descriptor::of_system_and_high(&[(ALL, Sid::SYSTEM), (ALL, Sid::ADMINISTRATORS)]);

/// WireGuardNT's requests, each with the access that it needs there.
pub(crate) const DEVICE: DeviceAbi = DeviceAbi {
    codes: &[
        (IOCTL_GET, READ_DATA),
        (IOCTL_SET, WRITE_DATA),
        (IOCTL_SET_ADAPTER_STATE, WRITE_DATA),
        (IOCTL_READ_LOG_LINE, READ_DATA),
    ],
    codes_guard: &GUARD,
    ..DeviceAbi::NONE
};
