//! Protection of control packets: none, tls-auth, tls-crypt or tls-crypt-v2.
//!
//! Formats: the OpenVPN wire protocol draft and OpenVPN's doc/tls-crypt-v2.txt.

mod error;
mod plain;
mod protection;
mod replay;
mod static_key;
mod tls_auth;
mod tls_crypt;
mod tls_crypt_v2;

pub use error::{KeyFileError, WrapError};
pub use plain::Plain;
pub use protection::{DYNAMIC_TLS_CRYPT_LABEL, Wrap};
pub use static_key::{Direction, StaticKey};
pub use tls_auth::{Digest, TlsAuth};
pub use tls_crypt::TlsCrypt;
pub use tls_crypt_v2::{ClientKey, FirstPacket, Metadata, ServerKey};
