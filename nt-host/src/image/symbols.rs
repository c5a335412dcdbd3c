//! The names of an image's functions, from the linker's map (`/MAP`).

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustc_demangle::demangle;

use super::module::Module;

/// Names by their offsets in the image.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Symbols {
    names: Vec<(usize, String)>,
}

impl Symbols {
    /// Parses a map, if it has the time stamp of the image. The map of a reproducible build has
    /// none.
    ///
    /// A line with a symbol has its section and offset, its name, and its address at the linked
    /// base.
    pub(super) fn parse(map: &str, timestamp: u32) -> Option<Self> {
        let word = |start: &str| {
            let line = map.lines().find_map(|line| line.trim().strip_prefix(start))?;
            u64::from_str_radix(line.split_whitespace().next()?, 16).ok()
        };
        let stamp = word("Timestamp is ")?;
        if stamp != 0 && stamp != u64::from(timestamp) {
            return None;
        }
        let base = word("Preferred load address is ")?;
        let mut names: Vec<(usize, String)> = map
            .lines()
            .filter_map(|line| {
                let mut words = line.split_whitespace();
                let (place, name, address) = (words.next()?, words.next()?, words.next()?);
                // Symbols of section 0 are not in the image.
                if !place.contains(':') || place.starts_with("0000:") || address.len() != 16 {
                    return None;
                }
                let address = u64::from_str_radix(address, 16).ok()?.checked_sub(base)?;
                Some((usize::try_from(address).ok()?, name.to_owned()))
            })
            .collect();
        names.sort_by_key(|(start, _)| *start);
        Some(Self { names })
    }

    /// The name of the function at an offset, with the distance from its start.
    pub(super) fn name(&self, offset: usize) -> Option<String> {
        let place = self.names.partition_point(|(start, _)| *start <= offset).checked_sub(1)?;
        let (start, name) = self.names.get(place)?;
        Some(format!("{:#}+{:#x}", demangle(name), offset - start))
    }

    /// Writes the names for `perf`, to the file in which it looks for them: the start, size and
    /// name of each, in hexadecimal.
    pub(super) fn write_for_perf(&self, module: &Module) -> io::Result<()> {
        let path = format!("/tmp/perf-{}.map", std::process::id());
        let mut file = io::BufWriter::new(open_own(Path::new(&path))?);
        let range = module.range();
        let ends = self.names.iter().skip(1).map(|(start, _)| *start).chain([range.len()]);
        for ((start, name), end) in self.names.iter().zip(ends) {
            let address = range.start + start;
            writeln!(file, "{address:x} {:x} {:#}", end.saturating_sub(*start), demangle(name))?;
        }
        file.flush()
    }
}

/// Opens a file in a folder that everyone can write to, to append to it. Only a file of this user
/// is opened, and only by its one name: a link of another user could lead elsewhere.
fn open_own(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    // Without O_NONBLOCK, a pipe without a reader would be waited for.
    options.append(true).mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let opened = match options.create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            options.create_new(false).open(path)
        }
        opened => opened,
    };
    let refused = |why: &dyn fmt::Display| {
        io::Error::other(format!("{} is not written to: {why}", path.display()))
    };
    let file = opened.map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP) => refused(&"it is a link"),
        _ => refused(&error),
    })?;
    let metadata = file.metadata()?;
    // SAFETY: the call has no requirement.
    let user = unsafe { libc::geteuid() };
    let is_own = metadata.is_file() && metadata.uid() == user && metadata.nlink() == 1;
    if is_own { Ok(file) } else { Err(refused(&"it is not a file of this process's user")) }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_file_is_written_through_no_link() {
        let folder = require::scratch().join(format!("nt-host-perf-{}", std::process::id()));
        fs::create_dir(&folder).expect("a folder of the test");
        let (map, other) = (folder.join("map"), folder.join("other"));
        fs::write(&other, "other").expect("a file");
        let told = |path| open_own(path).expect_err("is refused").to_string();

        symlink(&other, &map).expect("a link");
        assert!(told(&map).ends_with("is not written to: it is a link"), "{}", told(&map));
        fs::remove_file(&map).expect("it goes");
        symlink(folder.join("missing"), &map).expect("a link");
        assert!(told(&map).contains("it is a link"), "{}", told(&map));
        fs::remove_file(&map).expect("it goes");
        fs::hard_link(&other, &map).expect("a link");
        assert!(told(&map).contains("not a file of this process's user"), "{}", told(&map));
        fs::remove_file(&map).expect("it goes");
        let made = std::process::Command::new("mkfifo").arg(&map).status();
        if made.is_ok_and(|status| status.success()) {
            assert!(told(&map).contains("not written to"), "{}", told(&map));
            fs::remove_file(&map).expect("it goes");
        }

        for text in ["one ", "two"] {
            open_own(&map).expect("it opens").write_all(text.as_bytes()).expect("it is written");
        }
        assert_eq!(fs::read_to_string(&map).expect("it is read"), "one two");
        let mode = fs::metadata(&map).expect("it exists").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&other).expect("it is read"), "other");
        fs::remove_dir_all(&folder).expect("it goes");
    }
}
