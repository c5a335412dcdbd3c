use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use tunic_confinement::output_file::{Existing, open};

fn write(path: &Path, existing: Existing, text: &str) -> std::io::Result<()> {
    open(path, existing)?.write_all(text.as_bytes())
}

#[test]
fn links_are_followed_only_where_nobody_else_can_make_them() {
    let folder = require::scratch().join(format!("output-{}", std::process::id()));
    let (shared, own) = (folder.join("shared"), folder.join("own"));
    for folder in [&folder, &shared, &own] {
        fs::create_dir(folder).unwrap();
    }
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o1777)).unwrap();
    let other = own.join("other");
    fs::write(&other, "other").unwrap();
    // /tmp is above all these folders, and shared; a link in it would be refused, too.
    for existing in [Existing::Truncate, Existing::Append] {
        let log = shared.join("log");
        symlink(&other, &log).unwrap();
        let told = write(&log, existing, "text").unwrap_err().to_string();
        assert!(told.contains("is not written to: a link leads to it"), "{told}");
        fs::remove_file(&log).unwrap();
        symlink(&own, &log).unwrap();
        write(&log.join("other"), existing, "text").unwrap_err();
        fs::remove_file(&log).unwrap();
        fs::hard_link(&other, &log).unwrap();
        let told = write(&log, existing, "text").unwrap_err().to_string();
        assert!(told.contains("not a file of this process's user"), "{told}");
        fs::remove_file(&log).unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "other");

        write(&log, existing, "one ").unwrap();
        assert_eq!(fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600);
        write(&log, existing, "two").unwrap();
        let text = fs::read_to_string(&log).unwrap();
        assert_eq!(text, if existing == Existing::Append { "one two" } else { "two" });
        fs::remove_file(&log).unwrap();
    }
    fs::remove_dir_all(&folder).unwrap();
}

/// The build's folder belongs to whoever builds.
#[test]
fn an_administrators_own_link_is_followed() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("output");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let (link, target) = (folder.join("link"), folder.join("target"));
    symlink(&target, &link).unwrap();
    // Where a folder above the build's is shared, there is nothing to test.
    let is_shared = folder
        .ancestors()
        .any(|folder| fs::metadata(folder).unwrap().permissions().mode() & 0o002 != 0);
    if !is_shared {
        write(&link, Existing::Append, "text").unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "text");
    }
    fs::remove_dir_all(&folder).unwrap();
}
