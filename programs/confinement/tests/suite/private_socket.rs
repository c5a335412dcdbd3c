use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;

use tunic_confinement::private_socket::{create, replace};

#[test]
fn a_socket_is_its_owners_and_replaces_only_a_stale_socket() {
    let folder = require::scratch().join(format!("socket-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    let (path, other) = (folder.join("socket"), folder.join("other"));
    let served = replace(&path).unwrap();
    assert_eq!(fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert!(replace(&path).unwrap_err().to_string().contains("another process serves"));
    let _connection = UnixStream::connect(&path).unwrap();
    drop(served);
    replace(&path).unwrap();

    fs::remove_file(&path).unwrap();
    fs::write(&other, "other").unwrap();
    fs::copy(&other, &path).unwrap();
    assert!(replace(&path).is_err(), "a file is not replaced");
    for target in [other.clone(), folder.join("missing")] {
        fs::remove_file(&path).unwrap();
        symlink(&target, &path).unwrap();
        assert!(replace(&path).is_err() && create(&path).is_err(), "no link is followed");
    }
    assert_eq!(fs::read_to_string(&other).unwrap(), "other");
    fs::remove_dir_all(&folder).unwrap();
}
