//! What an operation needs, if the system refuses it to an ordinary user.

use std::io;

use anyhow::anyhow;

/// The error of a refused operation, an infinitive such as "create the interface wg0". If the
/// process lacks the privilege, the message says which one.
pub(crate) fn explain(error: io::Error, operation: &str) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::PermissionDenied => anyhow!(
            "cannot {operation}: {error}; tunicd needs root, or CAP_NET_ADMIN and write access to \
             /var/run: run it with sudo"
        ),
        _ => anyhow::Error::new(error).context(format!("cannot {operation}")),
    }
}
