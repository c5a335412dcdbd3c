//! Writes `include/tunic.h`.

use std::{env, fs, io, path::Path};

fn main() -> io::Result<()> {
    let mut text = String::new();
    tunic_ioctl::header::write(&mut text).map_err(io::Error::other)?;
    let directory = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| "ioctl-api".into());
    fs::write(Path::new(&directory).join("include/tunic.h"), text)
}
