//! The key commands, as `wg` has them.

use std::io::Write;
use std::process::{Command, Stdio};

fn tunic(arguments: &[&str], input: &str) -> Result<String, String> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tunic"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may end without reading.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

#[test]
fn public_keys_belong_to_private_keys() {
    // RFC 7748 section 6.1.
    assert_eq!(
        tunic(&["pubkey"], "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=\n").unwrap(),
        "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\n"
    );
    let (first, second) = (tunic(&["genkey"], "").unwrap(), tunic(&["genkey"], "").unwrap());
    assert_ne!(first, second);
    assert_eq!(first.len(), 45);
    assert_ne!(tunic(&["pubkey"], &first).unwrap(), tunic(&["pubkey"], &second).unwrap());
    assert_ne!(tunic(&["genpsk"], "").unwrap(), tunic(&["genpsk"], "").unwrap());
}

#[test]
fn bad_input_is_named() {
    let message = tunic(&["pubkey"], "no key").unwrap_err();
    assert_eq!(message, "tunic: a key is 32 bytes in base64\n");
    let message = tunic(&["show", "no-such-iface"], "").unwrap_err();
    assert_eq!(message, "tunic: no adapter no-such-iface\n");
    assert!(tunic(&["up", "../x"], "").unwrap_err().contains("no adapter"));
}
