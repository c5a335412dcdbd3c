//! The log file, which is written through no link of another user's.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

#[test]
fn no_log_is_written_through_a_link_in_a_shared_folder() {
    let folder = require::scratch().join(format!("tunic-log-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    let (shared, target) = (folder.join("shared"), folder.join("target"));
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, Permissions::from_mode(0o1777)).unwrap();
    fs::write(&target, "kept").unwrap();
    symlink(&target, shared.join("log")).unwrap();
    let configuration = folder.join("conf");
    let blocks = ["ca", "cert", "key"].map(|name| format!("<{name}>\n</{name}>\n")).concat();
    for (program, text) in [
        (env!("CARGO_BIN_EXE_openvpn-client"), "client\nremote a\n"),
        (env!("CARGO_BIN_EXE_openvpn-server"), "server 10.8.0.0 255.255.255.0\n"),
    ] {
        for option in ["log", "log-append"] {
            let text = format!("{text}{blocks}{option} shared/log\n");
            fs::write(&configuration, text).unwrap();
            let output = Command::new(program).arg(&configuration).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success() && said.contains("a link leads to it"), "{said}");
        }
    }
    assert_eq!(fs::read_to_string(&target).unwrap(), "kept");
    fs::remove_dir_all(&folder).unwrap();
}
