//! Roles in a session.

/// Our side of a session. Decides the TLS role and the direction of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We started the session.
    Client,
    /// The peer started the session.
    Server,
}
