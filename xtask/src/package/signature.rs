//! A test signature by osslsigncode, with a certificate that is made for this package only.
//!
//! Windows accepts it in test-signing mode, once the certificate is trusted. The key isn't kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use require::Need;

/// The certificate's validity in days.
const DAYS: &str = "365";

/// A key and its certificate, in a folder that is removed on drop.
pub(super) struct Signer {
    folder: PathBuf,
}

impl Signer {
    /// Makes a key and a self-signed certificate for code. If a program is missing: `None` and a
    /// notice, or a failure under `TUNIC_REQUIRE_ALL=1`.
    pub(super) fn new(folder: &Path) -> Result<Option<Self>> {
        let needs =
            [Need::Program("osslsigncode", "osslsigncode"), Need::Program("openssl", "openssl")];
        if !require::all("the test signature", &needs) {
            return Ok(None);
        }
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        let signer = Self { folder: folder.to_owned() };
        let subject = "/CN=Tunic test certificate";
        signer.run(Command::new("openssl").args([
            "req",
            "-x509",
            "-newkey",
            "rsa:3072",
            "-noenc",
            "-sha256",
            "-days",
            DAYS,
            "-subj",
            subject,
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-addext",
            "keyUsage=critical,digitalSignature",
            "-addext",
            "extendedKeyUsage=critical,codeSigning",
            "-keyout",
            "key.pem",
            "-out",
            "certificate.pem",
        ]))?;
        signer.run(Command::new("openssl").args([
            "x509",
            "-in",
            "certificate.pem",
            "-outform",
            "DER",
            "-out",
            "certificate.cer",
        ]))?;
        Ok(Some(signer))
    }

    /// The certificate, to be trusted by the target machine.
    pub(super) fn certificate(&self) -> Result<Vec<u8>> {
        Ok(fs::read(self.folder.join("certificate.cer"))?)
    }

    /// Signs an image. A signature that it has is replaced.
    pub(super) fn sign(&self, image: &[u8]) -> Result<Vec<u8>> {
        fs::write(self.folder.join("unsigned"), image)?;
        let signed = self.folder.join("signed");
        if signed.exists() {
            fs::remove_file(&signed)?;
        }
        self.run(Command::new("osslsigncode").args([
            "sign",
            "-certs",
            "certificate.pem",
            "-key",
            "key.pem",
            "-h",
            "sha256",
            "-ph",
            "-n",
            "Tunic network adapter",
            "-in",
            "unsigned",
            "-out",
            "signed",
        ]))?;
        Ok(fs::read(signed)?)
    }

    /// Fails unless the image has a valid signature of this signer.
    pub(super) fn verify(&self, image: &[u8]) -> Result<()> {
        fs::write(self.folder.join("signed"), image)?;
        self.run(Command::new("osslsigncode").args([
            "verify",
            "-CAfile",
            "certificate.pem",
            "-in",
            "signed",
        ]))
    }

    fn run(&self, command: &mut Command) -> Result<()> {
        let output = command.current_dir(&self.folder).output();
        let program = command.get_program().to_string_lossy().into_owned();
        let output = output.with_context(|| format!("cannot run {program}"))?;
        let said =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        ensure!(output.status.success(), "{program}: {}{}", said[0], said[1]);
        Ok(())
    }
}

impl Drop for Signer {
    /// Removes the key.
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{} can't be removed: {error}", self.folder.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_image_is_refused() {
        if !require::all("a_changed_image_is_refused", &[Need::DriverImage]) {
            return;
        }
        let image = fs::read(require::DRIVER_IMAGE).expect("the driver's image");
        let folder = require::scratch().join(format!("tunic-sign-{}", std::process::id()));
        let Some(signer) = Signer::new(&folder).expect("a certificate") else { return };
        let mut signed = signer.sign(&image).expect("signs");
        signer.verify(&signed).expect("is signed");
        let middle = image.len() / 2;
        signed[middle] ^= 1;
        signer.verify(&signed).expect_err("was changed");
        signer.verify(&image).expect_err("is not signed");
    }
}
