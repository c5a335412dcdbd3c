//! Whether our programs accept the certificates that stock OpenVPN accepts, and no others:
//! generated chains and options, as client and as server. `verdicts/differences.tsv` lists the
//! cases with another verdict, each with the reason.

mod cases;
mod chain;
mod ours;
mod stock;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::pki::Authority;
use cases::Case;
use require::Need;
use tunic_openvpn::Role;

const DIFFERENCES: &str = include_str!("verdicts/differences.tsv");
const THREADS: usize = 8;

/// The verdicts on a case.
struct Verdicts {
    name: String,
    stock: bool,
    ours: bool,
    /// The log of stock OpenVPN.
    log: String,
}

#[test]
fn certificates_are_accepted_as_by_stock() {
    if !require::all("verdicts", &[Need::Program("openvpn", "openvpn")]) {
        return;
    }
    let folder = require::scratch().join(format!("tunic-verdicts-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let own = Authority::new();
    let cases = Mutex::new(cases::all());
    let total = cases.lock().unwrap().len();
    assert!(total >= 200, "{total} cases");
    let (next, verdicts) = (AtomicUsize::new(1), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let Some(case) = cases.lock().unwrap().pop() else { return };
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    // An address of its own for each process.
                    let [_, _, high, low] = (number as u32).to_be_bytes();
                    let address = Ipv4Addr::new(127, 77, high, low);
                    let file = folder.join(format!("{number}.conf"));
                    let found = judge(case, &own, address, &file);
                    verdicts.lock().unwrap().push(found);
                }
            });
        }
    });
    std::fs::remove_dir_all(&folder).unwrap();
    let verdicts = verdicts.into_inner().unwrap();
    assert_eq!(verdicts.len(), total);
    let mut argued: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for line in DIFFERENCES.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, stock, ours, _reason] = fields[..] else { panic!("malformed: {line:?}") };
        assert!(argued.insert(name, (stock, ours)).is_none(), "twice: {name}");
    }
    let mut wrong = Vec::new();
    for Verdicts { name, stock, ours, log } in &verdicts {
        // Stock rejects because of the certificate, not of something else.
        assert!(*stock || log.contains("VERIFY") || log.contains("TLS_ERROR"), "{name}: {log}");
        let word = |is_accepted| if is_accepted { "accepts" } else { "rejects" };
        let found = (word(*stock), word(*ours));
        match argued.remove(name.as_str()) {
            None if stock == ours => {}
            Some(expected) if expected == found && stock != ours => {}
            expected => wrong.push(format!("{name}\t{}\t{}\t{expected:?}", found.0, found.1)),
        }
    }
    assert!(wrong.is_empty(), "not as argued:\n{}", wrong.join("\n"));
    assert!(argued.is_empty(), "no such case: {argued:?}");
}

/// Runs a case.
fn judge(case: Case, own: &Authority, address: Ipv4Addr, file: &std::path::Path) -> Verdicts {
    let Case { name, peer, chain, options } = case;
    let issued = chain.issue();
    let (role, usage) = match peer {
        Role::Server => (Role::Client, rcgen::ExtendedKeyUsagePurpose::ClientAuth),
        Role::Client => (Role::Server, rcgen::ExtendedKeyUsagePurpose::ServerAuth),
    };
    let identity = own.issue("ours", &[usage]);
    let block = |name: &str, text: &str| format!("<{name}>\n{text}\n</{name}>\n");
    let mut configuration = block("ca", &issued.trusted)
        + &block("cert", &identity.certificate)
        + &block("key", &identity.key);
    if let Some(lists) = &issued.revocation_lists {
        configuration += &block("crl-verify", lists);
    }
    configuration += &format!("{options}\n");
    let peer = || ours::peer(peer, &issued.sent, &issued.key, &own.pem());
    let ours = ours::accepts(role, &configuration, peer());
    let (stock, log) = stock::accepts(role, &configuration, peer(), address, file);
    Verdicts { name, stock, ours, log }
}
