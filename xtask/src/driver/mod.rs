//! `cargo xtask driver`: builds `tunic.sys` on any system, with stable Rust and its linker.

mod identity;
mod link;
mod product;
pub(crate) mod target;
pub(crate) mod version;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context, Result, ensure};

use self::product::Product;
use crate::arch::Arch;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The processor to build for [default: all]
    #[arg(long)]
    arch: Option<Arch>,
    /// Builds the tests' driver, preshared.sys, instead of tunic.sys
    #[arg(long)]
    preshared: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let product = if options.preshared { Product::Preshared } else { Product::Tunic };
    for arch in Arch::ALL {
        if options.arch.is_none_or(|wanted| wanted == arch) {
            println!("{}", build_product(product, arch)?.sys.display());
        }
    }
    Ok(())
}

/// A built image, its PDB and its map.
pub(crate) struct Image {
    pub(crate) sys: PathBuf,
    pub(crate) pdb: PathBuf,
    pub(crate) map: PathBuf,
}

impl Image {
    /// The image, PDB and map of tunic.sys for `arch` in `target/driver`.
    pub(crate) fn of(arch: Arch) -> Self {
        Self::of_product(Product::Tunic, arch)
    }

    fn of_product(product: Product, arch: Arch) -> Self {
        Self::in_folder(product, &workspace().join("target/driver").join(arch.name()))
    }

    fn in_folder(product: Product, folder: &Path) -> Self {
        let [sys, pdb, map] =
            ["sys", "pdb", "map"].map(|kind| folder.join(format!("{}.{kind}", product.name())));
        Self { sys, pdb, map }
    }

    fn files(&self) -> [&Path; 3] {
        [&self.sys, &self.pdb, &self.map]
    }
}

/// Builds tunic.sys into `target/driver`.
pub(crate) fn build(arch: Arch) -> Result<Image> {
    build_product(Product::Tunic, arch)
}

/// Builds an image into `target/driver`. A concurrent reader of the files sees the old ones or the
/// new ones.
fn build_product(product: Product, arch: Arch) -> Result<Image> {
    /// The folder below is unique to a process, not to a thread.
    static BUILDING: Mutex<()> = Mutex::new(());
    let _building = BUILDING.lock();
    target::install(arch)?;
    let folder = workspace().join("target/driver");
    let temporary = folder.join(format!("{}.{}", arch.name(), std::process::id()));
    let new = Image::in_folder(product, &temporary);
    build_into(product, arch, &folder.join("build"), &new)?;
    let image = Image::of_product(product, arch);
    make_folder_of(&image.sys)?;
    for (from, to) in new.files().into_iter().zip(image.files()) {
        fs::rename(from, to)?;
    }
    new.sys.parent().map_or(Ok(()), fs::remove_dir)?;
    Ok(image)
}

/// Builds `image` with cargo's target directory `target_folder`. Neither path changes the image's
/// bytes.
fn build_into(product: Product, arch: Arch, target_folder: &Path, image: &Image) -> Result<()> {
    let built = compile(product, arch, target_folder)?;
    make_folder_of(&image.sys)?;
    for (from, to) in built.files().into_iter().zip(image.files()) {
        fs::copy(from, to).with_context(|| format!("{} to {}", from.display(), to.display()))?;
    }
    identity::assign(image)
}

fn make_folder_of(file: &Path) -> Result<()> {
    Ok(file.parent().map_or(Ok(()), fs::create_dir_all)?)
}

/// Runs cargo with the target directory `target_folder`.
fn compile(product: Product, arch: Arch, target_folder: &Path) -> Result<Image> {
    fs::create_dir_all(target_folder)?;
    let resource = target_folder.join("tunic.res");
    fs::write(&resource, version::resource(env!("CARGO_PKG_VERSION"))?)?;

    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(workspace())
        // They would replace the flags of .cargo/config.toml for Windows.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .args(["rustc", "--quiet", "--locked", "--release"])
        .args(["--package", product.package(), "--features", "image"])
        .args(["--bin", &format!("{}-sys", product.name())])
        .args(["--target", arch.target(), "--target-dir"])
        .arg(target_folder)
        .arg("--config")
        .arg(flags(arch)?)
        .arg("--")
        .args(link::arguments(&resource))
        .status()
        .context("cargo")?;
    ensure!(status.success(), "{}.sys for {} can't be built", product.name(), arch.name());

    let folder = target_folder.join(arch.target()).join("release");
    Ok(Image {
        sys: folder.join(format!("{}-sys.exe", product.name())),
        pdb: folder.join(format!("{}_sys.pdb", product.name())),
        map: folder.join(format!("deps/{}_sys.map", product.name())),
    })
}

/// Flags for all crates, as a value of cargo's `--config`: the image contains no path of this
/// machine, and names in the map include the types of generic functions.
fn flags(arch: Arch) -> Result<OsString> {
    let home = std::env::home_dir().context("no home directory")?;
    let cargo = std::env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    let flag = |from: &Path, to| format!("--remap-path-prefix={}={to}", from.display());
    let names = "-Csymbol-mangling-version=v0".to_owned();
    let flags = [flag(&cargo, "cargo"), flag(&workspace(), "tunic"), names];
    Ok(format!("target.{}.rustflags={flags:?}", arch.target()).into())
}

/// The root of the workspace.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(1).unwrap_or(Path::new(".")).into()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use require::Need;

    use super::{Arch, Image, Product, build, build_into};

    #[test]
    fn two_builds_are_equal() {
        let test = "two_builds_are_equal";
        if !require::all(test, &[Need::RustTarget(Arch::X64.target())]) {
            return;
        }
        let image = build(Arch::X64).unwrap();
        let folder = require::scratch().join(format!("tunic-{test}-{}", std::process::id()));
        let other = Image::in_folder(Product::Tunic, &folder);
        build_into(Product::Tunic, Arch::X64, &folder, &other).unwrap();
        let is_equal = fs::read(image.sys).unwrap() == fs::read(other.sys).unwrap();
        fs::remove_dir_all(folder).unwrap();
        assert!(is_equal, "the image depends on where it is built");
    }
}
