//! Each rule refuses the INF that breaks it, by the rule's name.

use super::{Arch, Date, Package, SOURCES, Stamp, check, driver_keywords, source};

/// A valid INF, and its package.
fn good(name: &str) -> (String, Package) {
    let date = Date { year: 2026, month: 11, day: 5 };
    let stamp = Stamp { arch: Arch::X64, date, version: [1, 2, 3, 0] };
    let inf = stamp.apply(&source(name).expect("there")).expect("stamps");
    let package = Package {
        name: format!("{name}.inf"),
        files: ["tunic.cat", "tunic.inf", "tunic.pdb", "tunic.sys"].map(Into::into).to_vec(),
        arch: Some(Arch::X64),
        version: stamp.version,
        keywords: driver_keywords().expect("the driver's source"),
    };
    (inf, package)
}

#[test]
fn the_infs_are_in_order() {
    for (name, _) in SOURCES {
        let (inf, package) = good(name);
        assert_eq!(check(inf.as_bytes(), &package), [] as [&str; 0], "{name}");
    }
}

#[test]
fn utf_16_is_read_as_well() {
    let (inf, package) = good("tunic");
    let utf16 = "\u{feff}".encode_utf16().chain(inf.encode_utf16()).flat_map(u16::to_le_bytes);
    assert_eq!(check(&utf16.collect::<Vec<u8>>(), &package), [] as [&str; 0]);
}

#[test]
fn the_date_and_version_are_stamped() {
    let (inf, _) = good("tunic");
    assert!(inf.contains("DriverVer   = 11/05/2026,1.2.3.0\r\n"));
    assert!(inf.contains("[Tunic.NTamd64.10.0...19041]\r\n"));
}

/// Rules, the text that is replaced, and its replacement.
const BAD: [(&str, &str, &str); 43] = [
    ("syntax: encoding", "\"Name\"", "\"N\u{e4}me\""),
    ("syntax", "\"Name\"", "\"Name"),
    ("syntax", "[Strings]", "[Strings"),
    ("signature", "$Windows NT$", "$Windows 95$"),
    ("class", "= Net\r\n", "= System\r\n"),
    ("class", "4d36e972", "4d36e97d"),
    ("provider", "Provider    = %Provider%\r\n", ""),
    ("catalog", "CatalogFile = tunic.cat\r\n", ""),
    ("driver-version", "1.2.3.0", "1.2.4.0"),
    ("driver-version", "11/05/2026", "2026-11-05"),
    ("pnp-lockdown", "PnpLockdown = 1\r\n", ""),
    ("manufacturer", "[Manufacturer]\r\n%Provider% = Tunic, NTamd64.10.0...19041\r\n", ""),
    ("decoration", "Tunic, NTamd64.10.0...19041\r\n", "Tunic\r\n"),
    ("decoration", "NTamd64", "NTarm64"),
    ("decoration", "10.0...19041", "10.0...17763"),
    ("models", "[Tunic.NTamd64", "[Tunik.NTamd64"),
    ("hardware-id", "Tunic.Install, Tunic\r\n", "Tunic.Install, WireGuard\r\n"),
    ("dirid-13", "DefaultDestDir = 13", "DefaultDestDir = 12"),
    ("dirid-13", "DefaultDestDir = 13\r\n", ""),
    ("files", "[Tunic.Files]\r\ntunic.sys\r\n", "[Tunic.Files]\r\ntunnel.sys\r\n"),
    ("files", "[Tunic.Files]\r\ntunic.sys\r\n", "[Tunic.Files]\r\ntunic.sys, tunic1.sys\r\n"),
    ("files", "tunic.sys = 1\r\n", "tunic.sys = 1\r\nother.sys = 1\r\n"),
    ("install", "[Tunic.Install.NT]", "[Tunic.Instal.NT]"),
    ("characteristics", "0x81 ;", "0x84 ;"),
    ("if-type", "*IfType            = 53", "*IfType            = 6"),
    ("media-type", "*MediaType         = 19", "*MediaType         = 0"),
    ("physical-media-type", "*PhysicalMediaType = 0", "*PhysicalMediaType = 14"),
    ("forbidden", "EnableDhcp         = 0\r\n", "DelFiles = Tunic.Files\r\n"),
    ("service", "0x00000002, Tunic.Service", "0x00000000, Tunic.Service"),
    ("service", "StartType      = 3", "StartType      = 0"),
    ("service", "%13%\\tunic.sys", "%12%\\tunic.sys"),
    ("event-log", "Tunic.Service, Tunic.EventLog", "Tunic.Service"),
    ("event-log", "netevent.dll", "tunic.dll"),
    ("registry-root", "HKR, Ndi,            Service", "HKLM, Ndi,            Service"),
    ("registry", "Tunic.Ndi, Tunic.Protocol", "Tunic.Nid, Tunic.Protocol"),
    ("interfaces", "\"ndis5\"", "\"ndis4\""),
    ("interfaces", "HKR, Ndi\\Interfaces, LowerRange, 0, \"nolower\"\r\n", ""),
    ("keyword", "\"wireguard\"", "\"ipsec\""),
    ("keyword", "Default,   0, \"1420\"", "Default,   0, \"70000\""),
    ("keyword", "Default,   0, \"2\"", "Default,   0, \"3\""),
    ("keyword", "TunicName", "TunicNick"),
    ("strings", "%MTU%", "%MaximumTransmissionUnit%"),
    ("sections", "[SourceDisksNames]", "[SourceDiskNames]"),
];

#[test]
fn every_rule_refuses_what_breaks_it() {
    let (inf, package) = good("tunic");
    for (rule, good, bad) in BAD {
        assert!(inf.contains(good), "{good:?} is not in the INF");
        let problems = check(inf.replace(good, bad).as_bytes(), &package);
        assert!(
            problems.iter().any(|problem| problem.starts_with(&format!("{rule}: "))),
            "{bad:?} for {good:?} should break {rule}, found {problems:?}"
        );
    }
}

#[test]
fn the_package_must_hold_what_the_inf_installs() {
    let (inf, mut package) = good("tunic");
    package.files.retain(|file| file != "tunic.sys");
    assert_eq!(check(inf.as_bytes(), &package), ["files: tunic.sys is not in the package"]);
}

#[test]
fn openvpn_s_adapters_are_for_everybody() {
    let (inf, package) = good("tunic-ovpn-dco");
    for (good, bad) in [
        ("(A;;GXGWGR;;;WD)(A;;GXGR;;;RC)", ""),
        ("[Tunic.Install.NT.HW]", "[Tunic.Install.HW]"),
        ("HKR, , Security, ,", "HKR, , Securities, ,"),
    ] {
        assert!(inf.contains(good), "{good}");
        let problems = check(inf.replace(good, bad).as_bytes(), &package);
        assert!(problems.iter().any(|problem| problem.starts_with("security: ")), "{problems:?}");
    }
}

#[test]
fn a_driver_in_the_place_of_wireguard_nt_is_newer() {
    let (inf, package) = good("tunic-wg");
    for (date, is_refused) in
        [("04/30/2026", true), ("12/31/2025", true), ("05/01/2026", false), ("01/01/2027", false)]
    {
        let problems = check(inf.replace("11/05/2026", date).as_bytes(), &package);
        let refused = problems.iter().any(|problem| problem.starts_with("driver-version: "));
        assert_eq!(refused, is_refused, "{date}: {problems:?}");
    }
}

#[test]
fn the_compatible_infs_differ_in_their_identity_alone() {
    let text = |name: &str| source(name).expect("there");
    let lines = |text: &str| -> Vec<String> {
        let is_content = |line: &&str| !line.starts_with(';') && !line.is_empty();
        text.lines().filter(is_content).map(str::to_owned).collect()
    };
    let own = lines(&text("tunic"));
    let differences = |name: &str, added: &[&str]| -> Vec<String> {
        let mut compatible = lines(&text(name));
        let before = compatible.len();
        compatible.retain(|line| !added.contains(&line.as_str()));
        assert_eq!(compatible.len() + added.len(), before, "each is there once");
        assert_eq!(own.len(), compatible.len());
        let changed = own.iter().zip(&compatible).filter(|(own, compatible)| own != compatible);
        changed.map(|(_, compatible)| compatible.clone()).collect()
    };
    assert_eq!(
        differences("tunic-wg", &[]),
        ["CatalogFile = tunic-wg.cat", "%Tunic.Description% = Tunic.Install, WireGuard"]
    );
    let security = [
        "[Tunic.Install.NT.HW]",
        "AddReg = Tunic.Security",
        "[Tunic.Security]",
        "HKR, , Security, , \"D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GXGWGR;;;WD)(A;;GXGR;;;RC)\"",
    ];
    assert_eq!(
        differences("tunic-ovpn-dco", &security),
        [
            "CatalogFile = tunic-ovpn-dco.cat",
            "%Tunic.Description% = Tunic.Install, ovpn-dco",
            "HKR, , TunicProtocol, 0x00000002, \"openvpn\"",
            "HKR, Ndi\\params\\TunicOvpnDco,      Default,   0, \"1\"",
            "Tunic.Description         = \"Tunic network adapter for OpenVPN\"",
        ]
    );
}
