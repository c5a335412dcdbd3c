//! Values of an adapter's keywords.

/// The value of a keyword.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigValue {
    /// REG_DWORD
    Dword(u32),
    /// REG_SZ
    String(String),
    /// REG_BINARY
    Binary(Vec<u8>),
}
