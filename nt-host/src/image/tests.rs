//! Images made by hand: one that is right, and all that can be wrong with it. Nothing of them runs.

use std::fs;
use std::ops::Range;

use super::error::{LoadError, Malformed};
use super::file::{ImageFile, check_sum};
use super::map;
use super::mapping::Mapping;

/// The linked address of the image.
const BASE: u64 = 0x1_4000_0000;
/// Where the sections lie in memory, a page each: code, constants with the imports, data,
/// relocations.
const TEXT: u32 = 0x1000;
const CONSTANTS: u32 = 0x2000;
const DATA: u32 = 0x3000;
const RELOCATIONS: u32 = 0x4000;
const IMAGE_BYTES: u32 = 0x5000;
/// Bytes of the headers and of each section in the file.
const PART: u32 = 0x200;

/// Offsets in the file: signature, machine, characteristics, and of the optional header.
const HEADERS: usize = 0x80;
const MACHINE: usize = HEADERS + 4;
const CHARACTERISTICS: usize = HEADERS + 22;
const OPTIONAL: usize = HEADERS + 24;
const ENTRY: usize = OPTIONAL + 16;
const SUBSYSTEM: usize = OPTIONAL + 68;
const CHECK_SUM: usize = OPTIONAL + 64;
const DIRECTORIES: usize = OPTIONAL + 112;
const SECTIONS: usize = DIRECTORIES + 16 * 8;
const CONSTANTS_FILE: usize = 2 * PART as usize;
const DATA_FILE: usize = 3 * PART as usize;
const RELOCATIONS_FILE: usize = 4 * PART as usize;

/// A file that is put together piece by piece.
struct File(Vec<u8>);

impl File {
    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn put16(&mut self, at: usize, value: u16) {
        self.put(at, &value.to_le_bytes());
    }

    fn put32(&mut self, at: usize, value: u32) {
        self.put(at, &value.to_le_bytes());
    }

    fn put64(&mut self, at: usize, value: u64) {
        self.put(at, &value.to_le_bytes());
    }

    fn directory(&mut self, index: usize, address: u32, bytes: u32) {
        self.put32(DIRECTORIES + index * 8, address);
        self.put32(DIRECTORIES + index * 8 + 4, bytes);
    }

    fn section(&mut self, index: u32, name: &str, characteristics: u32) {
        let at = section(index);
        self.put(at, name.as_bytes());
        self.put32(at + 8, 0x100);
        self.put32(at + 12, (index + 1) * 0x1000);
        self.put32(at + 16, PART);
        self.put32(at + 20, (index + 1) * PART);
        self.put32(at + 36, characteristics);
    }
}

fn section(index: u32) -> usize {
    SECTIONS + index as usize * 40
}

/// A driver of two imports and one relocation.
fn driver() -> File {
    let mut file = File(vec![0; 5 * PART as usize]);
    file.put(0, b"MZ");
    file.put32(0x3c, HEADERS as u32);
    file.put(HEADERS, b"PE\0\0");
    file.put16(MACHINE, 0x8664);
    file.put16(MACHINE + 2, 4);
    file.put16(HEADERS + 20, (SECTIONS - OPTIONAL) as u16);
    file.put16(CHARACTERISTICS, 0x22);
    file.put16(OPTIONAL, 0x20b);
    file.put32(ENTRY, TEXT);
    file.put64(OPTIONAL + 24, BASE);
    file.put32(OPTIONAL + 32, 0x1000);
    file.put32(OPTIONAL + 36, PART);
    file.put32(OPTIONAL + 56, IMAGE_BYTES);
    file.put32(OPTIONAL + 60, PART);
    file.put16(SUBSYSTEM, 1);
    file.put32(OPTIONAL + 108, 16);
    file.section(0, ".text", 0x6000_0020);
    file.section(1, ".rdata", 0x4000_0040);
    file.section(2, ".data", 0xc000_0040);
    file.section(3, ".reloc", 0x4200_0040);
    // One descriptor and the end; names at 0x40, addresses at 0x60.
    file.directory(1, CONSTANTS, 40);
    file.put32(CONSTANTS_FILE, CONSTANTS + 0x40);
    file.put32(CONSTANTS_FILE + 12, CONSTANTS + 0x80);
    file.put32(CONSTANTS_FILE + 16, CONSTANTS + 0x60);
    for (index, (offset, name)) in [(0x90, "memcpy"), (0xa0, "KeBugCheckEx")].iter().enumerate() {
        file.put64(CONSTANTS_FILE + 0x40 + index * 8, u64::from(CONSTANTS) + offset);
        file.put64(CONSTANTS_FILE + 0x60 + index * 8, u64::from(CONSTANTS) + offset);
        file.put(CONSTANTS_FILE + *offset as usize + 2, name.as_bytes());
    }
    file.put(CONSTANTS_FILE + 0x80, b"NTOSKRNL.exe");
    // The address of the data's second word, in its first.
    file.put64(DATA_FILE, BASE + u64::from(DATA) + 8);
    file.directory(5, RELOCATIONS, 12);
    file.put32(RELOCATIONS_FILE, DATA);
    file.put32(RELOCATIONS_FILE + 4, 12);
    file.put16(RELOCATIONS_FILE + 8, 10 << 12);
    file
}

fn load(file: &File) -> Result<Mapping, LoadError> {
    map(&ImageFile::parse(&file.0)?)
}

/// What is wrong with a driver to which this was done.
fn wrong(change: impl FnOnce(&mut File)) -> Malformed {
    let mut file = driver();
    change(&mut file);
    match load(&file) {
        Err(LoadError::Malformed(malformed)) => malformed,
        other => panic!("{other:?}"),
    }
}

/// A word of a mapped image.
fn word(mapping: &Mapping, offset: u32) -> u64 {
    let address = mapping.range().start + offset as usize;
    // SAFETY: the tests ask for aligned words of readable sections.
    unsafe { core::ptr::with_exposed_provenance::<u64>(address).read() }
}

/// What Linux lets be done with a range: `r--`.
fn permissions(range: &Range<usize>) -> String {
    let maps = fs::read_to_string("/proc/self/maps").expect("Linux tells of mappings");
    let within = |line: &&str| {
        let bounds = line.split(' ').next().and_then(|bounds| bounds.split_once('-'));
        let parse = |text| usize::from_str_radix(text, 16).unwrap_or(0);
        bounds.is_some_and(|(start, end)| parse(start) <= range.start && parse(end) >= range.end)
    };
    let line = maps.lines().find(within).expect("the range is one mapping's");
    line.split(' ').nth(1).unwrap_or_default()[..3].to_owned()
}

#[test]
fn a_driver_is_mapped_relocated_bound_and_protected() {
    let mapping = load(&driver()).expect("it is right");
    let start = mapping.range().start;
    assert_eq!(word(&mapping, DATA), (start + DATA as usize + 8) as u64);
    let import = |name| super::exports::find("ntoskrnl.exe", name).expect("it is exported") as u64;
    assert_eq!(word(&mapping, CONSTANTS + 0x60), import("memcpy"));
    assert_eq!(word(&mapping, CONSTANTS + 0x68), import("KeBugCheckEx"));
    for (offset, expected) in
        [(0, "r--"), (TEXT, "r-x"), (CONSTANTS, "r--"), (DATA, "rw-"), (RELOCATIONS, "r--")]
    {
        let page = start + offset as usize;
        assert_eq!(permissions(&(page..page + 0x1000)), expected, "{offset:#x}");
    }
    mapping.retire();
    assert_eq!(permissions(&mapping.range()), "---");
}

#[test]
fn imports_must_be_in_the_module_that_is_named() {
    let missing = |change: fn(&mut File)| {
        let mut file = driver();
        change(&mut file);
        match load(&file) {
            Err(LoadError::MissingImports(names)) => names,
            other => panic!("{other:?}"),
        }
    };
    let all = missing(|file| {
        file.put(CONSTANTS_FILE + 0x92, b"Memcpy");
        file.put(CONSTANTS_FILE + 0xa2, b"KeBugCheckEy");
    });
    assert_eq!(all, ["NTOSKRNL.exe!Memcpy", "NTOSKRNL.exe!KeBugCheckEy"]);
    let elsewhere = missing(|file| file.put(CONSTANTS_FILE + 0x80, b"ndis.sys\0\0\0\0"));
    assert_eq!(elsewhere, ["ndis.sys!memcpy", "ndis.sys!KeBugCheckEx"]);
}

#[test]
fn what_is_wrong_is_named() {
    assert!(matches!(wrong(|file| file.0.truncate(0x100)), Malformed::Format(_)));
    assert!(matches!(wrong(|file| file.put(0, b"ZM")), Malformed::Format(_)));
    assert_eq!(wrong(|file| file.put16(MACHINE, 0xaa64)), Malformed::Machine(0xaa64));
    assert_eq!(wrong(|file| file.put16(SUBSYSTEM, 3)), Malformed::Subsystem(3));
    assert_eq!(wrong(|file| file.put16(CHARACTERISTICS, 0x23)), Malformed::RelocationsStripped);
    assert_eq!(wrong(|file| file.put32(ENTRY, CONSTANTS)), Malformed::Entry(CONSTANTS));
    assert_eq!(wrong(|file| file.directory(9, DATA, 40)), Malformed::Directory(9));
    let name = || ".data".to_owned();
    assert_eq!(
        wrong(|file| file.put32(section(2) + 36, 0xe000_0020)),
        Malformed::WritableAndExecutable(name())
    );
    assert_eq!(wrong(|file| file.put32(section(2) + 12, CONSTANTS)), Malformed::Sections(name()));
    assert_eq!(wrong(|file| file.put32(section(2) + 12, DATA + 8)), Malformed::Sections(name()));
    assert_eq!(wrong(|file| file.put32(section(2) + 8, 0x10_0000)), Malformed::Sections(name()));
    assert_eq!(wrong(|file| file.put32(section(2) + 20, 0x10_0000)), Malformed::Truncated(name()));
    assert_eq!(
        wrong(|file| file.put16(RELOCATIONS_FILE + 8, 3 << 12)),
        Malformed::RelocationType(3)
    );
    assert_eq!(
        wrong(|file| file.put32(RELOCATIONS_FILE, IMAGE_BYTES - 4)),
        Malformed::RelocationOutside(IMAGE_BYTES - 4)
    );
    assert!(matches!(wrong(|file| file.put32(RELOCATIONS_FILE + 4, 0x100)), Malformed::Format(_)));
    assert_eq!(
        wrong(|file| file.put64(CONSTANTS_FILE + 0x40, 1 << 63 | 7)),
        Malformed::Ordinal("NTOSKRNL.exe".to_owned())
    );
    assert!(matches!(
        wrong(|file| file.put32(CONSTANTS_FILE + 16, IMAGE_BYTES - 8)),
        Malformed::Format(_)
    ));
}

#[test]
fn a_changed_file_has_another_checksum() {
    let mut file = driver();
    let Err(Malformed::CheckSum { stated: 0, actual }) = check_sum(&file.0) else {
        panic!("it has no checksum");
    };
    file.put32(CHECK_SUM, actual);
    assert_eq!(check_sum(&file.0), Ok(()));
    file.0[DATA_FILE + 9] ^= 1;
    assert!(matches!(check_sum(&file.0), Err(Malformed::CheckSum { .. })));
}

/// No byte of a file, whatever it is, does more than to have the image refused.
#[test]
fn any_byte_may_be_any_other() {
    let mut refused = 0;
    for place in 0..driver().0.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut file = driver();
            file.0[place] = value;
            refused += usize::from(load(&file).is_err());
        }
    }
    for length in 0..driver().0.len() {
        let mut file = driver();
        file.0.truncate(length);
        refused += usize::from(load(&file).is_err());
    }
    // At least all that cut the file short.
    assert!(refused > driver().0.len(), "{refused}");
}
