//! Which control ABI a request uses.

/// A control ABI. The answer to a request has the form of the request's ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abi {
    /// The native ABI, [`crate::native`].
    Native,
    /// The ABI of WireGuardNT, [`crate::wireguard_nt`].
    WireGuardNt,
    /// The ABI of ovpn-dco-win, [`crate::ovpn_dco`].
    OvpnDco,
}
