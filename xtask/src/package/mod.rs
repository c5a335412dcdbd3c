//! `cargo xtask package`: one zip with everything that a Windows machine needs.
//!
//! ```text
//! x64/, arm64/      tunic.sys, test-signed; tunic.inf; tunic.cdf, from which makecat makes the
//!                   catalogue; tunic.pdb and tunic.map
//! include/          tunic.h, and its licence
//! tunic-test.cer    the certificate of tunic.sys's signature
//! windows.md        how to install it
//! LICENSE-*
//! ```

mod archive;
mod catalogue;
mod signature;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::arch::Arch;
use crate::driver::{self, workspace};
use crate::image;
use crate::inf::{self, Date, Stamp};
use archive::Files;
use signature::Signer;

/// What to pack.
#[derive(Args)]
pub(crate) struct Options {
    /// Make the package with ovpn-dco's component ID, for programs that look for it
    /// (inf/tunic-ovpn-dco.inx)
    #[arg(long)]
    ovpn_dco: bool,
    /// Make the package with WireGuardNT's hardware ID, which takes the place of WireGuardNT on a
    /// machine (inf/tunic-wg.inx). Its authors ask others not to distribute drivers or files under
    /// their name
    #[arg(long, conflicts_with = "ovpn_dco")]
    wireguard: bool,
    /// The package's date [default: that of the last commit]
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<Date>,
}

/// What a package with the hardware ID of WireGuardNT does.
const WIREGUARD_WARNING: &str = "\
warning: this package has the hardware ID WireGuard. Installed, it takes the place of WireGuardNT:
all programs of the machine that use wireguard.dll, the official client included, get Tunic's
adapters, and wireguard.dll doesn't install its own driver again while this one is newer. The
authors of WireGuardNT ask others not to distribute drivers or files under their name: don't pass
it on.";

/// Builds the drivers, packs them, and checks the package.
pub(crate) fn run(options: &Options) -> Result<()> {
    let name = match (options.ovpn_dco, options.wireguard) {
        (true, _) => "tunic-ovpn-dco",
        (_, true) => "tunic-wg",
        _ => "tunic",
    };
    if options.wireguard {
        eprintln!("{WIREGUARD_WARNING}");
    }
    let date = options.date.map_or_else(inf::commit_date, Ok)?;
    let folder = workspace().join("target/package");
    let signer = Signer::new(&folder.join("signer"))?;

    let mut files = Files::new();
    for arch in Arch::ALL {
        let stamp = Stamp { arch, date, version: inf::package_version()? };
        add_driver(&mut files, name, stamp, signer.as_ref())?;
    }
    add_shared(&mut files, signer.as_ref())?;

    let unsigned = if signer.is_some() { "" } else { "-unsigned" };
    let stem = format!("{name}-{}{unsigned}", env!("CARGO_PKG_VERSION"));
    let path = folder.join(format!("{stem}.zip"));
    fs::create_dir_all(&folder)?;
    fs::write(&path, archive::pack(&files, date)?)?;
    check(&path, name, signer.as_ref()).with_context(|| path.display().to_string())?;
    println!("{}", path.display());
    Ok(())
}

/// Adds the files for one processor.
fn add_driver(files: &mut Files, name: &str, stamp: Stamp, signer: Option<&Signer>) -> Result<()> {
    let image = driver::build(stamp.arch)?;
    let bytes = fs::read(&image.sys)?;
    let sys = match signer {
        Some(signer) => signer.sign(&bytes)?,
        None => bytes,
    };
    let inf_name = format!("{name}.inf");
    let inf = stamp.apply(&inf::source(name)?)?.into_bytes();
    let definition = catalogue::definition(&inf_name, &inf)?.into_bytes();
    let mut add = |file: &str, bytes| {
        files.insert(format!("{}/{file}", stamp.arch.name()), bytes);
    };
    add("tunic.sys", sys);
    add("tunic.pdb", fs::read(&image.pdb)?);
    add("tunic.map", fs::read(&image.map)?);
    add(&format!("{name}.cdf"), definition);
    add(&inf_name, inf);
    Ok(())
}

/// Adds the files for all processors.
fn add_shared(files: &mut Files, signer: Option<&Signer>) -> Result<()> {
    let mut header = String::new();
    tunic_ioctl::header::write(&mut header)?;
    files.insert("include/tunic.h".into(), header.into_bytes());
    for (path, source) in [
        ("include/LICENSE", "ioctl-api/LICENSE"),
        ("LICENSE-APACHE", "LICENSE-APACHE"),
        ("LICENSE-MIT", "LICENSE-MIT"),
        ("windows.md", "docs/windows.md"),
    ] {
        let bytes = fs::read(workspace().join(source)).with_context(|| source.to_owned())?;
        files.insert(path.into(), bytes);
    }
    if let Some(signer) = signer {
        files.insert("tunic-test.cer".into(), signer.certificate()?);
    }
    Ok(())
}

/// The files of a package.
fn contents(name: &str, is_signed: bool) -> Vec<String> {
    let mut contents: Vec<String> =
        ["LICENSE-APACHE", "LICENSE-MIT", "include/LICENSE", "include/tunic.h", "windows.md"]
            .map(Into::into)
            .into();
    for arch in Arch::ALL.map(Arch::name) {
        contents.extend(["map", "pdb", "sys"].map(|kind| format!("{arch}/tunic.{kind}")));
        contents.extend(["cdf", "inf"].map(|kind| format!("{arch}/{name}.{kind}")));
    }
    contents.extend(is_signed.then(|| "tunic-test.cer".into()));
    contents.sort();
    contents
}

fn check_contents(files: &Files, wanted: &[String]) -> Result<()> {
    for path in wanted {
        ensure!(files.get(path).is_some_and(|bytes| !bytes.is_empty()), "{path} is missing");
    }
    for path in files.keys() {
        ensure!(wanted.contains(path), "{path} is unexpected");
    }
    Ok(())
}

/// Unpacks a package, and checks its contents, the images with their signatures, and each INF
/// beside the files that it installs.
fn check(path: &PathBuf, name: &str, signer: Option<&Signer>) -> Result<()> {
    let files = archive::unpack(&fs::read(path)?)?;
    check_contents(&files, &contents(name, signer.is_some()))?;
    let folder = path.with_extension("");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    for (file, bytes) in &files {
        let file = folder.join(file);
        fs::create_dir_all(file.parent().unwrap_or(&folder))?;
        fs::write(file, bytes)?;
    }
    let images = Arch::ALL.map(|arch| folder.join(arch.name()).join("tunic.sys"));
    image::run(&image::Options::packaged(images.into(), signer.is_some()))?;
    for arch in Arch::ALL.map(Arch::name) {
        inf::check_packaged(&folder.join(arch).join(format!("{name}.inf")))?;
        if let (Some(signer), Some(sys)) = (signer, files.get(&format!("{arch}/tunic.sys"))) {
            signer.verify(sys).with_context(|| format!("{arch}/tunic.sys"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_holds_what_belongs_there_and_nothing_else() {
        let wanted = contents("tunic", true);
        let mut files: Files = wanted.iter().map(|path| (path.clone(), vec![1])).collect();
        check_contents(&files, &wanted).expect("complete");
        for file in
            ["x64/tunic.inf", "arm64/tunic.sys", "include/tunic.h", "LICENSE-MIT", "tunic-test.cer"]
        {
            let bytes = files.remove(file).expect(file);
            let refused = check_contents(&files, &wanted).expect_err(file);
            assert_eq!(refused.to_string(), format!("{file} is missing"));
            files.insert(file.into(), bytes);
        }
        files.insert("key.pem".into(), vec![1]);
        let refused = check_contents(&files, &wanted).expect_err("a key");
        assert_eq!(refused.to_string(), "key.pem is unexpected");
    }
}
