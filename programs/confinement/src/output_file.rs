//! Files that a program writes at a path which an administrator gives.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::Mode;
use nix::unistd::geteuid;

/// The mode bit that lets everyone write.
const WRITABLE_BY_ALL: u32 = 0o002;

/// What happens to a file that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It is emptied.
    Truncate,
    /// It is continued.
    Append,
}

/// Opens a file for writing, and makes it with mode 0600 if it is missing.
///
/// If everyone can write to a folder on the way to it, as to /tmp, or it is another user's, no link
/// is followed, and an existing file must be a file of this user with one name: another user could
/// have placed it. Elsewhere, links are the administrator's own and are followed.
pub fn open(path: &Path, existing: Existing) -> io::Result<File> {
    if !is_in_shared_folder(path)? {
        let mut options = File::options();
        options.create(true).mode(0o600);
        return match existing {
            Existing::Truncate => options.write(true).truncate(true).open(path),
            Existing::Append => options.append(true).open(path),
        };
    }
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_APPEND | OFlag::O_CLOEXEC;
    let how = OpenHow::new()
        // Without O_NONBLOCK, a pipe without a reader would be waited for.
        .flags(flags | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK)
        .mode(Mode::S_IRUSR | Mode::S_IWUSR)
        .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS);
    let file = match openat2(AT_FDCWD, path, how) {
        Err(nix::Error::ELOOP) => return Err(refused(path, "a link leads to it")),
        opened => File::from(opened?),
    };
    let metadata = file.metadata()?;
    let is_own =
        metadata.is_file() && metadata.uid() == geteuid().as_raw() && metadata.nlink() == 1;
    if !is_own {
        return Err(refused(path, "it is not a file of this process's user"));
    }
    if existing == Existing::Truncate {
        file.set_len(0)?;
    }
    Ok(file)
}

/// Whether any user but this one and root can replace the file or a folder on the way to it.
fn is_in_shared_folder(path: &Path) -> io::Result<bool> {
    let path = std::path::absolute(path)?;
    for folder in path.ancestors().skip(1) {
        let metadata = fs::metadata(folder)?;
        let is_trusted = [0, geteuid().as_raw()].contains(&metadata.uid());
        if !is_trusted || metadata.mode() & WRITABLE_BY_ALL != 0 {
            return Ok(true);
        }
        // The folders to which a link leads count, too.
        if let Ok(target) = fs::read_link(folder) {
            let target = folder.parent().unwrap_or(Path::new("/")).join(target);
            let target: PathBuf = fs::canonicalize(target)?;
            if is_in_shared_folder(&target.join("file"))? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn refused(path: &Path, why: &str) -> io::Error {
    let path = path.display();
    io::Error::other(format!("{path} is not written to: {why}, and others can write to a folder"))
}
