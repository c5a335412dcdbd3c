//! The Authenticode signature: present, over these bytes, by SHA-256, and valid.

use std::process::Command;

use anyhow::{Context, Result};
use object::LittleEndian as LE;
use object::pe::IMAGE_DIRECTORY_ENTRY_SECURITY;
use sha2::{Digest, Sha256};

use super::file::Image;
use super::headers::checksum_offset;

/// DER of a DigestInfo with a SHA-256 digest, up to the digest (RFC 8017, 9.2).
const SHA256_DIGEST_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];

/// WIN_CERTIFICATE: length, revision 2.0, type PKCS#7.
const CERTIFICATE_HEADER_BYTES: usize = 8;
const CERTIFICATE_KIND: [u8; 4] = [0x00, 0x02, 0x02, 0x00];

pub(crate) fn check(image: &Image<'_>) -> Result<Vec<String>> {
    let Some(table) = certificates(image) else { return Ok(vec!["it is not signed".into()]) };
    let bytes = &image.file.bytes;
    let Some(signed) = bytes.get(table.clone()) else {
        return Ok(vec!["its signature is outside of the file".into()]);
    };
    if signed.get(4..CERTIFICATE_HEADER_BYTES) != Some(&CERTIFICATE_KIND) {
        return Ok(vec!["its signature is not PKCS#7".into()]);
    }
    let Some(place) =
        signed.windows(SHA256_DIGEST_INFO.len()).position(|window| window == SHA256_DIGEST_INFO)
    else {
        return Ok(vec!["its signature has no SHA-256 digest".into()]);
    };
    let digest = signed.get(place + SHA256_DIGEST_INFO.len()..).and_then(|rest| rest.get(..32));
    if digest != Some(&authenticode(bytes, table.start)) {
        return Ok(vec!["its signature is over other bytes".into()]);
    }
    verify(image)
}

/// The range of the certificates in the file, if it has any. The address in their directory is a
/// file offset.
fn certificates(image: &Image<'_>) -> Option<std::ops::Range<usize>> {
    let directory = image.directory(IMAGE_DIRECTORY_ENTRY_SECURITY)?;
    let (start, size) =
        (directory.virtual_address.get(LE) as usize, directory.size.get(LE) as usize);
    (start != 0).then(|| start..start.saturating_add(size))
}

/// The digest of "Windows Authenticode Portable Executable Signature Format": the file without its
/// checksum, the entry of the certificate directory, and the certificates.
fn authenticode(bytes: &[u8], certificates: usize) -> [u8; 32] {
    let checksum = checksum_offset(bytes);
    // 48 bytes from the checksum to the directories of a 64-bit image, and 8 for each.
    let entry = checksum + 48 + 8 * IMAGE_DIRECTORY_ENTRY_SECURITY;
    let mut hash = Sha256::new();
    for part in [0..checksum, checksum + 4..entry, entry + 8..certificates] {
        hash.update(bytes.get(part).unwrap_or_default());
    }
    hash.finalize().into()
}

/// Verifies the signature itself with osslsigncode. A self-signed test certificate is no fault.
fn verify(image: &Image<'_>) -> Result<Vec<String>> {
    let output =
        Command::new("osslsigncode").args(["verify", "-in"]).arg(&image.file.path).output();
    let output = output
        .context("osslsigncode (Debian's osslsigncode) verifies signatures, and can't be run")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let is_untrusted =
        text.contains("self-signed certificate") || text.contains("self signed certificate");
    if output.status.success() || is_untrusted {
        return Ok(Vec::new());
    }
    Ok(vec![format!("osslsigncode refuses its signature:\n{}", text.trim())])
}
