//! Parsing of client profiles.

use std::path::Path;
use std::time::Duration;

use tunic_openvpn::Suite;
use tunic_openvpn::profile::{
    CertificateUse, ControlWrap, CredentialSource, Family, Profile, ProfileError, PullAction,
    Remote, ServerProfile, TlsVersion,
};
use tunic_openvpn::tls::NameRule;

fn parse(text: &str) -> Result<Profile, ProfileError> {
    Profile::parse(text, Path::new("/nonexistent"))
}

/// The error of a profile of `client`, `remote` and these lines.
fn error(text: &str) -> String {
    parse(&format!("client\nremote vpn.example\n{text}")).unwrap_err().to_string()
}

#[test]
fn a_whole_profile() {
    let profile = parse(
        r#"# made by an access server
client
dev tun
proto udp
remote vpn.example 443
remote 2001:db8::1 1195 udp6
rport 1196
<connection>
remote 192.0.2.9
port 53
proto udp4
</connection>
remote-random
nobind
persist-key
data-ciphers ?NEW-CIPHER:CHACHA20-POLY1305:AES-256-GCM:AES-256-CBC
cipher AES-256-CBC
auth SHA256
remote-cert-tls server
verify-x509-name "vpn server" name
tls-version-min 1.3
reneg-sec 600
keepalive 10 60
mssfix 1400
tun-mtu 1400
setenv UV_ID 17
setenv opt block-new-thing
ignore-unknown-option other-thing
other-thing 1
pull-filter ignore "dhcp-option "
explicit-exit-notify
route 10.1.0.0 255.255.0.0
key-direction 1
<auth-user-pass>
user
pass word
</auth-user-pass>
<ca>
-----BEGIN CERTIFICATE-----
</ca>
<cert>
C
</cert>
<key>
K
</key>
<tls-auth>
T
</tls-auth>
up /etc/openvpn/up.sh
"#,
    )
    .unwrap();

    let remote = |host: &str, port, family| Remote { host: host.into(), port, family };
    assert_eq!(
        profile.remotes,
        [
            remote("vpn.example", 443, None),
            remote("2001:db8::1", 1195, Some(Family::V6)),
            remote("192.0.2.9", 53, Some(Family::V4)),
        ]
    );
    assert!(profile.is_remote_random && profile.is_exit_notified);
    assert_eq!(profile.data_ciphers, [Suite::ChaCha20Poly1305, Suite::Aes256Gcm]);
    assert_eq!(profile.fallback_cipher, None);
    assert_eq!(profile.remote_certificate_use, Some(CertificateUse::Server));
    assert_eq!(profile.remote_name, Some(NameRule::CommonName("vpn server".into())));
    assert_eq!(profile.tls_version_min, Some(TlsVersion::V13));
    assert_eq!(profile.renegotiate_after, Some(Duration::from_secs(600)));
    assert_eq!(profile.tunnel.ping_restart, Some(Duration::from_secs(60)));
    assert_eq!((profile.mssfix, profile.tunnel.tun_mtu), (Some(1400), Some(1400)));
    assert_eq!(profile.peer_info, [("UV_ID".into(), "17".into())]);
    assert_eq!(profile.pull_filters[0].action, PullAction::Ignore);
    assert_eq!(profile.pull_filters[0].prefix, "dhcp-option ");
    assert_eq!(profile.tunnel.routes.len(), 1);
    assert_eq!(profile.ca.as_deref(), Some("-----BEGIN CERTIFICATE-----\n"));
    assert_eq!(profile.certificate.as_deref().map(str::trim), Some("C"));
    assert_eq!(profile.private_key.as_ref().map(|key| key.trim()), Some("K"));
    let Some(ControlWrap::TlsAuth { key, direction: Some(1), digest }) = &profile.control_wrap
    else {
        panic!("{:?}", profile.control_wrap);
    };
    assert_eq!((key.as_str(), digest.as_str()), ("T\n", "SHA256"));
    let Some(CredentialSource::Given { username, password: Some(password) }) = &profile.credentials
    else {
        panic!("{:?}", profile.credentials);
    };
    assert_eq!((username.as_str(), password.as_str()), ("user", "pass word"));
    let warned = |what: &str| profile.warnings.iter().any(|warning| warning.contains(what));
    for what in ["AES-256-CBC", "block-new-thing", "other-thing", ": without effect: up"] {
        assert!(warned(what), "{what}: {:?}", profile.warnings);
    }
}

#[test]
fn what_is_not_said_is_the_default() {
    let profile = parse("client\nremote vpn.example\nauth-user-pass\n").unwrap();
    assert_eq!(profile.remotes, [Remote { host: "vpn.example".into(), port: 1194, family: None }]);
    assert!(profile.data_ciphers.is_empty() && profile.warnings.is_empty());
    assert!(matches!(profile.credentials, Some(CredentialSource::Prompt)));
    assert!(profile.control_wrap.is_none());
}

#[test]
fn what_can_not_be_done_is_said_with_its_line() {
    for (text, message) in [
        ("proto tcp", "line 3: only UDP is supported, not tcp"),
        ("\nremote other 1194 tcp-client", "line 4: only UDP is supported, not tcp-client"),
        ("dev tap", "line 3: only tun devices are supported, not tap"),
        ("comp-lzo", "line 3: option not supported: comp-lzo"),
        ("compress lz4", "line 3: option not supported: compress lz4"),
        ("fragment 1300", "line 3: option not supported: fragment 1300"),
        ("data-ciphers AES-256-CBC", "line 3: none of the ciphers is supported: AES-256-CBC"),
        ("tls-verify ./check", "line 3: option not supported: tls-verify"),
        ("no-such-option", "line 3: unknown option: no-such-option"),
        ("port 70000", "line 3: not a port: 70000"),
        ("auth MD5-ish", "line 3: unknown digest: MD5-ish"),
        ("reneg-sec soon", "line 3: malformed option: reneg-sec soon"),
        ("route 10.0.0.0 255.0.255.0", "line 3: malformed option: route 10.0.0.0 255.0.255.0"),
        ("server 10.8.0.0 255.255.255.0", "line 3: server is a server option"),
        (
            "<connection>\nremote a\nfragment 1\n</connection>",
            "line 5: option not supported in <connection>: fragment",
        ),
        ("<connection>\nport 1\n</connection>", "line 3: <connection> must have one `remote`"),
        ("ca missing.pem", "/nonexistent/missing.pem: No such file or directory (os error 2)"),
        ("<cert>\nC\n</cert>", "`cert` and `key` must be given together"),
        (
            "<tls-crypt>\nA\n</tls-crypt>\n<tls-auth>\nB\n</tls-auth>",
            "line 6: more than one of tls-auth, tls-crypt and tls-crypt-v2",
        ),
    ] {
        assert_eq!(error(text), message);
    }
    let incomplete = |text| parse(text).unwrap_err().to_string();
    assert_eq!(incomplete("remote a"), "not a client profile: `client` is missing");
    assert_eq!(
        parse("client\nremote a\ndev work\ndev-type tun").unwrap().device.as_deref(),
        Some("work")
    );
    assert_eq!(incomplete("client"), "no server: `remote` is missing");
}

#[test]
fn options_without_effect_are_reported() {
    for option in [
        "allow-pull-fqdn",
        "bind ipv6only",
        "persist-remote-ip",
        "preresolve",
        "windows-driver wintun",
        "resolv-retry 5",
    ] {
        let profile = parse(&format!("client\nremote a\n{option}\n")).unwrap();
        let name = option.split(' ').next().unwrap();
        assert_eq!(profile.warnings, [format!("line 3: without effect: {name}")]);
    }
    let profile = parse("client\nremote a\npersist-tun\ntls-cipher X\nnobind\n").unwrap();
    assert_eq!(profile.warnings, ["line 4: without effect: tls-cipher"]);
    for (option, what) in [
        ("setenv FORWARD_COMPATIBLE 1", "setenv FORWARD_COMPATIBLE"),
        ("reneg-sec 600 60", "second word of reneg-sec"),
        ("tun-mtu 1500 1600", "second word of tun-mtu"),
        ("auth-retry interact", "auth-retry interact: nointeract"),
    ] {
        let profile = parse(&format!("client\nremote a\n{option}\n")).unwrap();
        assert_eq!(profile.warnings, [format!("line 3: without effect: {what}")]);
    }
    let done = "daemon x\nsyslog x\nlog x\nlog-append x\nwritepid x\nsuppress-timestamps\ncd /\n\
         resolv-retry infinite\nsetenv UV_X 1\npersist-tun\npersist-key\nfloat\n\
         user x\ngroup x\nchroot x\nmlock\n";
    let profile = parse(&format!("client\nremote a\n{done}")).unwrap();
    assert!(profile.warnings.is_empty(), "{:?}", profile.warnings);
    assert!(profile.is_tunnel_kept);
}

#[test]
fn options_for_the_process_are_read() {
    let profile = parse(
        "client\nremote a\ndaemon office\nlog first\nwritepid run/pid\nuser nobody\n\
         group nogroup\nchroot jail\nsuppress-timestamps\nlog-append /var/log/vpn\ncd /etc/vpn\n",
    )
    .unwrap();
    let process = &profile.process;
    assert!(process.is_daemon && !process.is_syslog && process.is_without_times);
    assert_eq!(process.log_name.as_deref(), Some("office"));
    let file = process.log_file.as_ref().unwrap();
    assert_eq!((file.path.as_path(), file.is_appended), (Path::new("/var/log/vpn"), true));
    assert_eq!(process.pid_file.as_deref(), Some(Path::new("/etc/vpn/run/pid")));
    assert_eq!(process.root.as_deref(), Some(Path::new("/etc/vpn/jail")));
    let account = (process.user.as_deref(), process.group.as_deref());
    assert_eq!(account, (Some("nobody"), Some("nogroup")));
    for malformed in ["log", "daemon a b", "cd", "user", "suppress-timestamps 1"] {
        assert_eq!(error(malformed), format!("line 3: malformed option: {malformed}"));
    }
}

#[test]
fn a_server_is_not_less_secure_than_its_configuration() {
    for option in [
        "tls-cipher X",
        "tls-ciphersuites X",
        "tls-groups X",
        "tls-cert-profile preferred",
        "connect-freq 1 10",
        "connect-freq-initial 1 10",
        "session-timeout 3600",
    ] {
        for prefix in ["", "setenv opt "] {
            let text = format!("server 10.8.0.0 255.255.255.0\n{prefix}{option}\n");
            let error = ServerProfile::parse(&text, Path::new("/nonexistent")).unwrap_err();
            let name = option.split(' ').next().unwrap();
            assert_eq!(error.to_string(), format!("line 2: option not supported: {name}"));
        }
    }
}
