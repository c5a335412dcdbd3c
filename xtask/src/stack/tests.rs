//! Frames and chains that are too large are refused.

use std::collections::BTreeSet;

use object::LittleEndian as LE;
use object::pe::IMAGE_DIRECTORY_ENTRY_EXCEPTION;
use require::Need;

use super::calls::{Calls, Function};
use super::chains::Chains;
use super::names::Names;
use super::rules::Rules;
use super::{FRAME_BYTES, RULES, measure, refuse_unused};
use crate::arch::Arch;
use crate::driver;
use crate::image::file::ImageFile;

/// Functions a, b, c at 0x1000, 0x2000, 0x3000.
const MAP: &str = " Preferred load address is 0000000140000000
 0001:00000000       a       0000000140001000     an.o
 0001:00001000       b       0000000140002000     an.o
 0001:00002000       c       0000000140003000     an.o
";
const A: u32 = 0x1000;
const B: u32 = 0x2000;
const C: u32 = 0x3000;

fn function(frame_bytes: u32, calls: &[u32], indirect_calls: &[u32]) -> Function {
    Function {
        frame_bytes,
        calls: calls.iter().map(|callee| (*callee, 1)).collect(),
        indirect_calls: indirect_calls.to_vec(),
        ..Function::default()
    }
}

/// The deepest chain from `a`, and the faults.
fn depth(functions: [Function; 3], rules: &str) -> (u32, BTreeSet<String>) {
    let calls = Calls {
        functions: [A, B, C].into_iter().zip(functions).collect(),
        address_taken: [B, C].into(),
    };
    let (names, rules) = (Names::parse(MAP).unwrap(), Rules::parse(rules).unwrap());
    let mut chains = Chains::new(&calls, &names, &rules, 8);
    (chains.depth(A), chains.faults)
}

#[test]
fn the_deepest_chain_counts() {
    let functions =
        [function(100, &[B, C], &[]), function(1000, &[], &[]), function(10, &[B], &[])];
    assert_eq!(depth(functions, ""), (100 + 10 + 1000 + 3 * 8, BTreeSet::new()));
}

#[test]
fn a_pointer_leads_where_a_rule_says() {
    let functions =
        || [function(100, &[], &[0x1010]), function(1000, &[], &[]), function(10, &[], &[])];
    let (_, faults) = depth(functions(), "");
    assert!(faults.iter().any(|fault| fault.contains("calls through pointers")), "{faults:?}");
    assert_eq!(depth(functions(), "pointer\ta\tc"), (100 + 10 + 16, BTreeSet::new()));
    assert_eq!(depth(functions(), "pointer\ta\t*"), (100 + 1000 + 16, BTreeSet::new()));
}

#[test]
fn recursion_needs_a_bound() {
    let functions =
        || [function(100, &[B], &[]), function(1000, &[C], &[]), function(10, &[B], &[])];
    let (_, faults) = depth(functions(), "");
    assert!(faults.iter().any(|fault| fault.starts_with("recursion: b -> c")), "{faults:?}");
    assert_eq!(
        depth(functions(), "repeat\tb\t2\tso"),
        (100 + 1000 + 10 + 1000 + 10 + 5 * 8, BTreeSet::new())
    );
}

/// The rules that none of `a`, `b` and `c` needs.
fn unused(functions: [Function; 3], rules: &str) -> Vec<String> {
    let calls = Calls {
        functions: [A, B, C].into_iter().zip(functions).collect(),
        address_taken: [B, C].into(),
    };
    let (names, rules) = (Names::parse(MAP).unwrap(), Rules::parse(rules).unwrap());
    let used = Chains::new(&calls, &names, &rules, 8).used;
    assert_eq!(refuse_unused(&rules, &used).is_err(), !rules.unused(&used).is_empty());
    rules.unused(&used)
}

#[test]
fn a_rule_that_nothing_uses_is_refused() {
    let functions =
        || [function(1, &[], &[0x1010]), function(1, &[C], &[]), function(1, &[B], &[])];
    let needed = "pointer\ta\tb\nrepeat\tc\t1\twhy\n";
    assert_eq!(unused(functions(), needed), Vec::<String>::new());
    for rule in [
        "pointer\tb\tc",     // b calls nobody through a pointer
        "pointer\ta\td",     // there is no d
        "repeat\ta\t1\twhy", // a is in no cycle
        "import\tIoCsq*\tb", // nobody calls that
    ] {
        let faults = unused(functions(), &format!("{needed}{rule}"));
        assert_eq!(faults.len(), 1, "{rule}: {faults:?}");
        assert!(faults[0].starts_with("stack.tsv:3: "), "{faults:?}");
    }
}

#[test]
fn the_driver_passes_and_a_frame_of_three_kilobytes_does_not() {
    let test = "the_driver_passes_and_a_frame_of_three_kilobytes_does_not";
    let mut used = BTreeSet::new();
    for arch in Arch::ALL {
        if !require::all(test, &[Need::RustTarget(arch.target())]) {
            return;
        }
        let built = driver::build(arch).unwrap();
        let map = std::fs::read_to_string(built.map).unwrap();
        let rules = Rules::parse(RULES).unwrap();
        let mut file = ImageFile::read(&built.sys).unwrap();
        let mut found = measure(&file.parse().unwrap(), &map, &rules).unwrap();
        assert_eq!(found.faults, BTreeSet::new());
        used.append(&mut found.used);

        match arch {
            Arch::X64 => {
                let slot = large_frame(&file);
                file.bytes[slot..slot + 2].copy_from_slice(&(3072_u16 / 8).to_le_bytes());
            }
            Arch::Arm64 => {
                let lowering = lowering(&file);
                file.bytes[lowering..lowering + 4].copy_from_slice(&sub_sp(3072).to_le_bytes());
            }
        }
        let faults = measure(&file.parse().unwrap(), &map, &rules).unwrap().faults;
        assert!(
            faults.iter().any(|fault| fault.contains(&format!("more than {FRAME_BYTES}"))),
            "{faults:?}"
        );
    }
    refuse_unused(&Rules::parse(RULES).unwrap(), &used).unwrap();
}

/// ARM64's `sub sp, sp, #bytes`.
const fn sub_sp(bytes: u32) -> u32 {
    0xd100_03ff | bytes << 10
}

/// Where in the file some ARM64 function lowers the stack's pointer.
fn lowering(file: &ImageFile) -> usize {
    let image = file.parse().unwrap();
    let section = image.sections().find(|section| section.raw_name() == b".text").unwrap();
    let start = section.pointer_to_raw_data.get(LE) as usize;
    let end = start + section.virtual_size.get(LE) as usize;
    let mut words = file.bytes[start..end].chunks_exact(4);
    let is_one =
        |word: &[u8]| u32::from_le_bytes(word.try_into().unwrap()) & !(0xfff << 10) == sub_sp(0);
    start + 4 * words.position(is_one).unwrap()
}

/// Where in the file the unwind data of some x64 function has the size of its frame, in a slot of
/// 16 bits.
fn large_frame(file: &ImageFile) -> usize {
    let image = file.parse().unwrap();
    let table = image.directory(IMAGE_DIRECTORY_ENTRY_EXCEPTION).unwrap().virtual_address.get(LE);
    let entries = image.data_at(table).unwrap().chunks_exact(12);
    let information = entries
        .map(|entry| u32::from_le_bytes(entry[8..12].try_into().unwrap()))
        .find(|information| image.data_at(*information).unwrap()[5] == 0x01)
        .unwrap();
    let section = image.section_at(information).unwrap();
    (information - section.virtual_address.get(LE) + section.pointer_to_raw_data.get(LE)) as usize
        + 6
}
