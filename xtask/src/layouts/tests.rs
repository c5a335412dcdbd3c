//! The committed table, and what is refused.

use super::source::{self, Declared};
use super::table::Table;
use crate::driver::workspace;

fn committed() -> (Vec<Declared>, Table) {
    let sources = workspace().join("nic-core/nt-sys/src");
    let declared = source::read(&sources).expect("nt-sys parses");
    (declared, Table::read(&sources.join("layouts.rs")).expect("the table parses"))
}

#[test]
fn every_type_and_field_of_nt_sys_is_in_the_table() {
    let (declared, table) = committed();
    assert_eq!(table.gaps(&declared), [] as [&str; 0]);
    assert!(declared.len() > 100, "only {} types were found", declared.len());
}

#[test]
fn the_table_reads_back_what_it_writes() {
    let (_, table) = committed();
    assert_eq!(Table::parse(&table.to_string()).expect("parses"), table);
}

#[test]
fn a_type_or_field_that_is_not_in_the_table_is_refused() {
    let (mut declared, mut table) = committed();
    let source = "#[repr(C)] pub struct KNEW { pub Type: UCHAR }\n\
                  #[repr(C)] pub struct KOPAQUE { _opaque: [u8; 0] }";
    source::parse("ke", source, &mut declared).expect("parses");
    let mdl = table.layouts.iter_mut().find(|layout| layout.path == "mm::MDL").expect("there");
    mdl.fields.retain(|field| field.name != "ByteCount");
    assert_eq!(
        table.gaps(&declared),
        ["mm::MDL.ByteCount is not in the table", "ke::KNEW is not in the table"]
    );
}

#[test]
fn a_struct_without_the_layout_of_c_is_refused() {
    let refused = source::parse("ke", "pub struct KRUST { pub Type: UCHAR }", &mut Vec::new());
    assert_eq!(refused.expect_err("refused").to_string(), "KRUST is not repr(C)");
}

#[test]
fn a_layout_off_by_8_is_refused() {
    let (_, windows) = committed();
    let mut table = windows.clone();
    let offload = table.layouts.iter_mut().find(|layout| layout.path == "ndis::NDIS_OFFLOAD");
    let offload = offload.expect("there");
    offload.size += 8;
    let last = offload.fields.last_mut().expect("fields");
    last.offset += 8;
    assert_eq!(
        table.differences(&windows),
        [
            "ndis::NDIS_OFFLOAD has 224 bytes aligned to 4, Windows' has 216 aligned to 4",
            "ndis::NDIS_OFFLOAD.UdpSegmentation is at 196 with 28 bytes, Windows' is at 188 \
             with 28",
        ]
    );
    assert_eq!(windows.differences(&windows), [] as [&str; 0]);
}
