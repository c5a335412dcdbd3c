//! The folder in which tests make their files.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::PathBuf;

use nix::unistd::geteuid;

/// A folder of this user's in the shared folder for temporary files. Other users can't write to it,
/// so that no link of theirs leads a test's file elsewhere; they can pass through it.
///
/// # Panics
///
/// When it can't be made, or belongs to someone else.
#[expect(clippy::disallowed_methods, reason = "this is the folder to use instead")]
pub fn scratch() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("tunic-tests-{}", geteuid()));
    // It may exist already.
    let made = DirBuilder::new().mode(0o700).create(&folder).and_then(|()| {
        // Whatever the umask is.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o711))
    });
    let metadata = fs::symlink_metadata(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}, {made:?}", folder.display()));
    let is_ours = metadata.is_dir()
        && metadata.uid() == geteuid().as_raw()
        && metadata.permissions().mode() & 0o022 == 0;
    assert!(is_ours, "{} exists and is not this user's folder: remove it", folder.display());
    folder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_writes_to_the_folder() {
        let mode = fs::symlink_metadata(scratch()).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o711);
        assert_eq!(scratch(), scratch());
    }
}
