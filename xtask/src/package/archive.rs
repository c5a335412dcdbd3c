//! The zip: equal files make equal bytes, on any machine and at any time.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};

use anyhow::{Result, ensure};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use crate::inf::Date;

/// Files by their path in the archive, with `/`.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// Packs files; all get the same date.
pub(super) fn pack(files: &Files, date: Date) -> Result<Vec<u8>> {
    let time = DateTime::from_date_and_time(date.year, date.month, date.day, 0, 0, 0)?;
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(time)
        .unix_permissions(0o644);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in files {
        writer.start_file(path, options)?;
        writer.write_all(bytes)?;
    }
    Ok(writer.finish()?.into_inner())
}

/// Unpacks all files.
pub(super) fn unpack(archive: &[u8]) -> Result<Files> {
    let mut archive = ZipArchive::new(Cursor::new(archive))?;
    let mut files = Files::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let path = file.name().to_owned();
        ensure!(files.insert(path, bytes).is_none(), "{} is in the archive twice", file.name());
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: Date = Date { year: 2026, month: 11, day: 21 };

    fn files() -> Files {
        let long = b"tunic".repeat(10_000);
        [("x64/tunic.sys", long), ("LICENSE-MIT", b"MIT".to_vec()), ("x64/tunic.inf", Vec::new())]
            .map(|(path, bytes)| (path.to_owned(), bytes))
            .into()
    }

    #[test]
    fn what_is_packed_comes_out() {
        let packed = pack(&files(), DATE).expect("packs");
        assert!(packed.len() < 10_000, "{} bytes are not compressed", packed.len());
        assert_eq!(unpack(&packed).expect("unpacks"), files());
    }

    #[test]
    fn the_same_files_make_the_same_archive() {
        let [one, other] = [(); 2].map(|()| pack(&files(), DATE).expect("packs"));
        assert_eq!(one, other);
    }
}
