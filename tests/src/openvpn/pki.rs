//! Throwaway certificates and keys, made by openssl and stock openvpn.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::PATIENCE;
use crate::command;
use crate::namespace::unique;

/// A folder with a CA, certificates of a server and a client, and keys for tls-auth and tls-crypt.
/// Goes when dropped.
#[derive(Debug)]
pub struct Pki {
    folder: PathBuf,
}

impl Pki {
    /// Makes one.
    pub fn new() -> Result<Self> {
        let pki = Self { folder: require::scratch().join(unique("pki")) };
        fs::create_dir(&pki.folder)?;
        pki.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
             -subj /CN=CA -keyout ca.key -out ca.crt",
        )?;
        pki.issue("server", "serverAuth")?;
        pki.certify("client")?;
        pki.openvpn("--genkey secret ta.key")?;
        pki.openvpn("--genkey tls-crypt-v2-server v2-server.key")?;
        pki.openvpn("--tls-crypt-v2 v2-server.key --genkey tls-crypt-v2-client v2-client.key")?;
        Ok(pki)
    }

    /// Makes a client's certificate and key, `NAME.crt` and `NAME.key`.
    pub fn certify(&self, name: &str) -> Result<()> {
        self.issue(name, "clientAuth")
    }

    fn issue(&self, name: &str, usage: &str) -> Result<()> {
        // Stock openvpn wants both.
        let usages = format!("keyUsage=digitalSignature\nextendedKeyUsage={usage}\n");
        fs::write(self.file("usages"), usages)?;
        self.openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} \
             -keyout {name}.key -out {name}.csr"
        ))?;
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 \
             -extfile usages -out {name}.crt"
        ))
    }

    /// Writes `crl.pem`, in which the certificates of these names are revoked.
    pub fn revoke(&self, names: &[&str]) -> Result<()> {
        let configuration = "[ca]\ndefault_ca=this\n[this]\ndatabase=index.txt\n\
         crlnumber=crlnumber\n\
             default_md=sha256\ndefault_crl_days=30\ncrl_extensions=list\n\
             [list]\nauthorityKeyIdentifier=keyid\n";
        fs::write(self.file("ca.cnf"), configuration)?;
        fs::write(self.file("index.txt"), "")?;
        fs::write(self.file("crlnumber"), "01\n")?;
        let ca = "ca -config ca.cnf -keyfile ca.key -cert ca.crt";
        for name in names {
            self.openssl(&format!("{ca} -revoke {name}.crt"))?;
        }
        self.openssl(&format!("{ca} -gencrl -out crl.pem"))
    }

    /// Runs openssl in the folder.
    pub fn openssl(&self, arguments: &str) -> Result<()> {
        let mut openssl = Command::new("openssl");
        openssl.current_dir(&self.folder).args(arguments.split_whitespace());
        command::run(&mut openssl, b"", PATIENCE)?.success()?;
        Ok(())
    }

    /// Runs stock openvpn in the folder, to make a key.
    pub fn openvpn(&self, arguments: &str) -> Result<()> {
        let mut openvpn = Command::new("openvpn");
        openvpn.current_dir(&self.folder).args(arguments.split(' '));
        command::run(&mut openvpn, b"", PATIENCE)?.success()?;
        Ok(())
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Drop for Pki {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
