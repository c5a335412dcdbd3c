//! Whom our client trusts, and what it shows of itself: keys around control packets, certificates,
//! passwords.

use anyhow::{Context, Result, ensure};
use tunic_tests::cases::at_once;
use tunic_tests::link::Link;
use tunic_tests::openvpn::{NEEDS, Pki, Stock, Tunnel};
use tunic_tests::require;

#[test]
fn control_packets_are_wrapped_as_the_profile_says() -> Result<()> {
    if !require::all("wraps", &NEEDS) {
        return Ok(());
    }
    let cases = [
        ("tls-auth PKI/ta.key 0", "tls-auth PKI/ta.key 1"),
        ("tls-auth PKI/ta.key\nauth SHA512", "tls-auth PKI/ta.key\nauth SHA512"),
        ("tls-crypt PKI/ta.key", "tls-crypt PKI/ta.key"),
        ("tls-crypt-v2 PKI/v2-server.key", "tls-crypt-v2 PKI/v2-client.key"),
        ("tls-crypt-v2 PKI/v2-server.key force-cookie", "tls-crypt-v2 PKI/v2-client.key"),
    ];
    at_once(&cases, |(server, client)| {
        // With a renewal, whose packets are wrapped by another key where both know dynamic
        // tls-crypt.
        let mut tunnel = Tunnel::new(&format!("{server}\nreneg-sec 3"), client)?;
        tunnel.ping()?;
        tunnel.client.await_count("keys renewed", 1)?;
        tunnel.ping()?;
        tunnel.client.stop()?;
        Ok(())
    })
}

#[test]
fn who_has_not_the_key_is_not_answered() -> Result<()> {
    if !require::all("wrong keys", &NEEDS) {
        return Ok(());
    }
    let wrong = Pki::new()?;
    let key = wrong.file("ta.key");
    let client = format!("tls-crypt {}\nserver-poll-timeout 3\nconnect-retry-max 1", key.display());
    let mut tunnel = Tunnel::begin("tls-crypt PKI/ta.key", &client, &[])?;
    let said = refused(&mut tunnel)?;
    ensure!(said.contains("the server does not answer"), "{said}");
    Ok(())
}

#[test]
fn certificates_of_others_are_refused_by_both_sides() -> Result<()> {
    if !require::all("certificates", &NEEDS) {
        return Ok(());
    }
    let other = Pki::new()?;
    // With TLS 1.3, a stock server that refuses us says nothing.
    let once = "connect-retry-max 1\nhand-window 5";
    // Our certificate is of another CA.
    let (certificate, key) = (other.file("client.crt"), other.file("client.key"));
    let client = format!("{once}\ncert {}\nkey {}", certificate.display(), key.display());
    let mut tunnel = Tunnel::begin("", &client, &[])?;
    let said = refused(&mut tunnel)?;
    ensure!(!said.contains("\nconnected: "), "{said}");
    tunnel.server.await_line("VERIFY ERROR")?;
    // The server's certificate is of another CA, or somebody else's.
    let foreign_ca = format!("{once}\nca {}", other.file("ca.crt").display());
    for (client, reason) in [
        (foreign_ca.as_str(), "not trusted"),
        ("connect-retry-max 1\ncrl-verify PKI/crl.pem", "revoked"),
        ("connect-retry-max 1\nverify-x509-name alice name", "does not match: CN=server"),
    ] {
        let (link, pki) = (Link::new()?, Pki::new()?);
        pki.revoke(&["server"])?;
        let mut tunnel = Tunnel::of(Stock::Installed, link, pki, "", client, &[])?;
        let said = refused(&mut tunnel)?;
        ensure!(said.contains(reason), "no {reason:?}: {said}");
    }
    Ok(())
}

#[test]
fn username_and_password_are_judged() -> Result<()> {
    if !require::all("passwords", &NEEDS) {
        return Ok(());
    }
    let server = "script-security 3\nauth-user-pass-verify \
                  \"/bin/sh -c '[ $username = alice ] && [ $password = open-sesame ]'\" via-env";
    let inline = |password| format!("<auth-user-pass>\nalice\n{password}\n</auth-user-pass>");
    let tunnel = Tunnel::new(server, &inline("open-sesame"))?;
    tunnel.ping()?;
    let mut tunnel = Tunnel::begin(server, &inline("wrong"), &[])?;
    let said = refused(&mut tunnel)?;
    ensure!(said.contains("authentication failed"), "{said}");
    ensure!(!said.contains("wrong"), "the password is in the log: {said}");
    Ok(())
}

#[test]
fn an_encrypted_key_is_opened_by_its_password() -> Result<()> {
    if !require::all("encrypted keys", &NEEDS) {
        return Ok(());
    }
    for (password, said) in [("open-sesame", None), ("wrong", Some("wrong password"))] {
        let (link, pki) = (Link::new()?, Pki::new()?);
        pki.openssl("pkcs8 -topk8 -in client.key -passout pass:open-sesame -out sealed.key")?;
        std::fs::write(pki.file("password"), format!("{password}\n"))?;
        let client = "key PKI/sealed.key\naskpass PKI/password";
        let mut tunnel = Tunnel::of(Stock::Installed, link, pki, "", client, &[])?;
        match said {
            None => {
                tunnel.client.await_connected(1)?;
                tunnel.ping()?;
                tunnel.client.stop()?;
            }
            Some(words) => {
                let said = refused(&mut tunnel)?;
                ensure!(said.contains(words), "{said}");
            }
        }
    }
    Ok(())
}

/// Waits until our client has ended with an error, and gives what it said.
fn refused(tunnel: &mut Tunnel) -> Result<String> {
    tunnel.client.await_failure().with_context(|| tunnel.server.log())
}
