//! A folder of revoked certificates (`crl-verify FOLDER dir`).

use std::fs;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

use super::error::TlsFileError;
use crate::root_folder::locate;

/// A folder whose file names are the decimal serial numbers of revoked certificates. Contents are
/// ignored.
#[derive(Debug)]
pub struct RevokedFolder(PathBuf);

impl RevokedFolder {
    /// Checks that the folder exists.
    ///
    /// # Errors
    ///
    /// When it does not exist or is no folder.
    pub(super) fn open(path: PathBuf) -> Result<Self, TlsFileError> {
        let folder = Self(path);
        folder.look().map_err(TlsFileError::RevokedFolder)?;
        Ok(folder)
    }

    /// Whether a certificate with this serial number is revoked. An error if the folder is missing.
    pub(super) fn holds(&self, serial: &[u8]) -> Result<bool, TlsFileError> {
        let holds = || match fs::symlink_metadata(locate(&self.0).join(decimal(serial))) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => self.look().map(|()| false),
            Err(error) => Err(error),
        };
        holds().map_err(TlsFileError::RevokedFolder)
    }

    fn look(&self) -> io::Result<()> {
        let metadata = fs::metadata(locate(&self.0))?;
        if metadata.is_dir() { Ok(()) } else { Err(ErrorKind::NotADirectory.into()) }
    }
}

/// Formats a serial number (contents of a DER INTEGER) in decimal.
fn decimal(serial: &[u8]) -> String {
    // Negative numbers violate RFC 5280, section 4.1.2.2, but exist.
    let is_negative = serial.first().is_some_and(|byte| byte & 0x80 != 0);
    let mut bytes = serial.to_vec();
    if is_negative {
        let mut carry = true;
        for byte in bytes.iter_mut().rev() {
            (*byte, carry) = (!*byte).overflowing_add(carry.into());
        }
    }
    let mut digits = Vec::new();
    while bytes.iter().any(|byte| *byte != 0) {
        let mut rest = 0_u16;
        for byte in &mut bytes {
            let value = rest << 8 | u16::from(*byte);
            *byte = (value / 10).to_le_bytes()[0];
            rest = value % 10;
        }
        digits.push(char::from(b'0' + rest.to_le_bytes()[0]));
    }
    if digits.is_empty() {
        digits.push('0');
    }
    if is_negative {
        digits.push('-');
    }
    digits.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_are_written_in_decimal() {
        for (serial, expected) in [
            (&[][..], "0"),
            (&[0], "0"),
            (&[9], "9"),
            (&[0, 0x80], "128"),
            (&[1, 0], "256"),
            (&[0x80], "-128"),
            // openssl x509 -serial says -DEADBEEF.
            (&[0xff, 0x21, 0x52, 0x41, 0x11], "-3735928559"),
            (&[0, 0xde, 0xad, 0xbe, 0xef], "3735928559"),
            (&[0x7f; 20], "727885129180488904360266563744972327436484050815"),
        ] {
            assert_eq!(decimal(serial), expected, "{serial:x?}");
        }
    }
}
