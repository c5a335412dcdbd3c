//! Who we are in a session.

/// Which side of a session, in TLS and in the derivation of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We connected.
    Client,
    /// They connected to us.
    Server,
}
