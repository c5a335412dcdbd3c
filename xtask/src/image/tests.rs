//! Each check refuses the image that is bad in its way, and no other does.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use object::LittleEndian as LE;
use object::pe::{
    IMAGE_DIRECTORY_ENTRY_IAT, IMAGE_DLLCHARACTERISTICS_GUARD_CF,
    IMAGE_DLLCHARACTERISTICS_NX_COMPAT, IMAGE_FILE_DLL, IMAGE_SCN_MEM_NOT_PAGED,
    IMAGE_SCN_MEM_WRITE,
};
use require::Need;

use super::file::{ImageFile, section_name};
use super::headers::{checksum, checksum_offset};
use super::{Expected, find_faults, panics};
use crate::arch::Arch;
use crate::driver;

/// Where fields are, from the checksum on (PE format, "Optional Header").
const SUBSYSTEM: usize = 4;
const DLL_CHARACTERISTICS: usize = 6;
const DIRECTORIES: usize = 48;

/// The driver's image for x64; `None` where it can't be built here.
fn good(test: &str) -> Option<Vec<u8>> {
    static GOOD: OnceLock<Vec<u8>> = OnceLock::new();
    let is_met = require::all(test, &[Need::RustTarget(Arch::X64.target())]);
    is_met.then(|| {
        let build = || std::fs::read(driver::build(Arch::X64).unwrap().sys).unwrap();
        GOOD.get_or_init(build).clone()
    })
}

fn expected() -> Expected {
    Expected {
        is_signed: false,
        version: driver::version::quadruple(env!("CARGO_PKG_VERSION")).unwrap(),
        pdb: driver::Image::of(Arch::X64).pdb,
        map: driver::Image::of(Arch::X64).map,
        panics: panics::BUDGET,
    }
}

/// The names of the checks that refuse an image.
fn refusals(bytes: Vec<u8>, expected: &Expected) -> Vec<&'static str> {
    let file = ImageFile { path: "sample.sys".into(), bytes };
    let mut checks: Vec<_> =
        find_faults(&file, expected).unwrap().into_iter().map(|fault| fault.check).collect();
    checks.dedup();
    checks
}

/// A test: `change` makes a bad image of the good one, which then `check` alone refuses.
fn refused_by(check: &str, test: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let Some(mut bytes) = good(test) else { return };
    let before = bytes.clone();
    change(&mut bytes);
    assert_ne!(bytes, before, "the sample is not bad");
    let field = checksum_offset(&bytes);
    let sum = checksum(&bytes);
    bytes[field..field + 4].copy_from_slice(&sum.to_le_bytes());
    assert_eq!(refusals(bytes, &expected()), [check]);
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
}

/// Changes a section's characteristics.
fn change_section(bytes: &mut [u8], name: &str, change: impl FnOnce(u32) -> u32) {
    // The headers begin 24 bytes after the directories' table of 16 entries; each has 40 bytes, its
    // characteristics last.
    let table = checksum_offset(bytes) + DIRECTORIES + 16 * 8;
    let file = ImageFile { path: "sample.sys".into(), bytes: bytes.to_vec() };
    let index = file.parse().unwrap().sections().position(|found| section_name(found) == name);
    let field = table + 40 * index.unwrap() + 36;
    let flags = u32::from_le_bytes(bytes[field..field + 4].try_into().unwrap());
    bytes[field..field + 4].copy_from_slice(&change(flags).to_le_bytes());
}

fn code_address(bytes: &[u8]) -> u32 {
    let file = ImageFile { path: "sample.sys".into(), bytes: bytes.to_vec() };
    file.parse().unwrap().headers().optional_header.base_of_code.get(LE)
}

#[test]
fn the_driver_passes() {
    let Some(bytes) = good("the_driver_passes") else { return };
    assert_eq!(refusals(bytes, &expected()), [""; 0]);
}

#[test]
fn a_user_program() {
    refused_by("headers", "a_user_program", |bytes| {
        let field = checksum_offset(bytes) + SUBSYSTEM;
        bytes[field] = 3;
    });
}

#[test]
fn executable_data_allowed() {
    refused_by("headers", "executable_data_allowed", |bytes| {
        let field = checksum_offset(bytes) + DLL_CHARACTERISTICS;
        bytes[field + 1] &= !(IMAGE_DLLCHARACTERISTICS_NX_COMPAT >> 8) as u8;
    });
}

#[test]
fn control_flow_guard_without_its_tables() {
    refused_by("headers", "control_flow_guard_without_its_tables", |bytes| {
        let field = checksum_offset(bytes) + DLL_CHARACTERISTICS;
        bytes[field + 1] |= (IMAGE_DLLCHARACTERISTICS_GUARD_CF >> 8) as u8;
    });
}

#[test]
fn a_dll() {
    refused_by("headers", "a_dll", |bytes| {
        // The COFF header's last field is right before the optional header, 64 bytes before the
        // checksum.
        let field = checksum_offset(bytes) - 64 - 2;
        bytes[field + 1] |= (IMAGE_FILE_DLL >> 8) as u8;
    });
}

#[test]
fn a_wrong_checksum() {
    let Some(mut bytes) = good("a_wrong_checksum") else { return };
    let field = checksum_offset(&bytes);
    bytes[field] ^= 1;
    assert_eq!(refusals(bytes, &expected()), ["checksum"]);
}

#[test]
fn code_that_can_be_written() {
    refused_by("sections", "code_that_can_be_written", |bytes| {
        change_section(bytes, ".text", |flags| flags | IMAGE_SCN_MEM_WRITE);
    });
}

#[test]
fn a_section_without_attributes() {
    refused_by("sections", "a_section_without_attributes", |bytes| {
        change_section(bytes, ".rsrc", |_| 0);
    });
}

#[test]
fn imports_among_code() {
    refused_by("sections", "imports_among_code", |bytes| {
        let field = checksum_offset(bytes) + DIRECTORIES + 8 * IMAGE_DIRECTORY_ENTRY_IAT;
        let code = code_address(bytes);
        bytes[field..field + 4].copy_from_slice(&code.to_le_bytes());
    });
}

#[test]
fn data_that_can_be_paged_out() {
    refused_by("paging", "data_that_can_be_paged_out", |bytes| {
        change_section(bytes, ".data", |flags| flags & !IMAGE_SCN_MEM_NOT_PAGED);
    });
}

#[test]
fn an_import_that_nobody_exports() {
    refused_by("imports", "an_import_that_nobody_exports", |bytes| {
        replace(bytes, b"ExAllocatePool2\0", b"ExAllocatePool9\0");
    });
}

#[test]
fn an_import_of_another_module() {
    refused_by("imports", "an_import_of_another_module", |bytes| {
        replace(bytes, b"netio.sys\0", b"ntdll.dll\0");
    });
}

#[test]
fn an_import_that_is_denied() {
    refused_by("imports", "an_import_that_is_denied", |bytes| {
        replace(bytes, b"ExAllocatePool2\0", b"ExAllocatePool\0\0");
    });
}

#[test]
fn an_instruction_of_avx() {
    refused_by("instructions", "an_instruction_of_avx", |bytes| {
        // The first section, whose code it is, begins where the headers end. vaddps ymm0, ymm1,
        // ymm2.
        let headers = checksum_offset(bytes) - 4;
        let start = u32::from_le_bytes(bytes[headers..headers + 4].try_into().unwrap()) as usize;
        bytes[start..start + 4].copy_from_slice(&[0xc5, 0xf4, 0x58, 0xc2]);
    });
}

#[test]
fn one_panic_too_many() {
    let Some(bytes) = good("one_panic_too_many") else { return };
    let file = ImageFile { path: "sample.sys".into(), bytes };
    let map = std::fs::read_to_string(expected().map).unwrap();
    let calls: u32 = panics::count(&file.parse().unwrap(), &map).unwrap().values().sum();
    let refusals = |panics| refusals(file.bytes.clone(), &Expected { panics, ..expected() });
    assert_eq!(refusals(calls), [""; 0]);
    assert_eq!(refusals(calls - 1), ["panics"]);
}

#[test]
fn another_images_pdb() {
    refused_by("symbols", "another_images_pdb", |bytes| {
        let at = bytes.windows(4).position(|window| window == b"RSDS").unwrap();
        bytes[at + 4] ^= 1;
    });
}

#[test]
fn another_version_than_the_packages() {
    let test = "another_version_than_the_packages";
    let Some(bytes) = good(test) else { return };
    let folder = require::scratch().join(format!("tunic-{test}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let inf = folder.join("tunic.inf");
    std::fs::write(&inf, "[Version]\r\nDriverVer = 11/21/2026,7.1.0.0 ; comment\r\n").unwrap();
    let version = super::version::of_inf(&inf).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(version, [7, 1, 0, 0]);
    assert_eq!(refusals(bytes, &Expected { version, ..expected() }), ["version"]);
}

#[test]
fn an_image_that_is_to_be_signed_and_is_not() {
    let Some(bytes) = good("an_image_that_is_to_be_signed_and_is_not") else { return };
    assert_eq!(refusals(bytes, &Expected { is_signed: true, ..expected() }), ["signature"]);
}

#[test]
fn a_signature_over_other_bytes() {
    let test = "a_signature_over_other_bytes";
    let needs = [("openssl", "openssl"), ("osslsigncode", "osslsigncode")]
        .map(|(name, from)| Need::Program(name, from));
    if !require::all(test, &needs) {
        return;
    }
    let Some(bytes) = good(test) else { return };
    let folder = require::scratch().join(format!("tunic-{test}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("plain.sys"), bytes).unwrap();
    run(
        &folder,
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out certificate -subj /CN=test \
         -addext extendedKeyUsage=codeSigning",
    );
    run(
        &folder,
        "osslsigncode sign -h sha256 -certs certificate -key key -in plain.sys -out signed.sys",
    );
    let mut file = ImageFile::read(&folder.join("signed.sys")).unwrap();
    let image = file.parse().unwrap();
    assert_eq!(super::signature::check(&image).unwrap(), [""; 0]);
    let middle = file.bytes.len() / 2;
    file.bytes[middle] ^= 1;
    let faults = super::signature::check(&file.parse().unwrap()).unwrap();
    assert_eq!(faults, ["its signature is over other bytes"]);
    std::fs::remove_dir_all(&folder).unwrap();
}

fn run(folder: &Path, command: &str) {
    let mut words = command.split(' ');
    let output =
        Command::new(words.next().unwrap()).args(words).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}
