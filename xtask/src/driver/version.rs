//! The image's version resource, as a `.res` file for the linker. Explorer and `driverquery` show
//! it.
//!
//! The forms are those of RESOURCEHEADER and VS_VERSIONINFO in Microsoft's "Menus and Other
//! Resources".

use anyhow::{Context, Result};

/// US English, UTF-16: language and code page of the strings.
const LANGUAGE: u16 = 0x0409;
const CODE_PAGE: u16 = 1200;

/// `RT_VERSION` and `VS_VERSION_INFO`.
const RT_VERSION: u16 = 16;
const VS_VERSION_INFO: u16 = 1;

/// A package's version as four numbers; the last is 0.
pub(crate) fn quadruple(package_version: &str) -> Result<[u16; 4]> {
    let mut numbers = [0; 4];
    let released = package_version.split(['-', '+']).next().unwrap_or_default();
    for (number, text) in numbers.iter_mut().zip(released.split('.')) {
        *number = text.parse().with_context(|| format!("version {package_version}"))?;
    }
    Ok(numbers)
}

/// The resource file for a package's version.
pub(crate) fn resource(package_version: &str) -> Result<Vec<u8>> {
    let numbers = quadruple(package_version)?;
    // Every 32-bit resource file begins with an empty resource.
    let mut file = header(0, 0, 0, 0, 0);
    let data = version_information(numbers);
    // MOVEABLE | PURE, as resource compilers have it.
    file.extend(header(data.len(), RT_VERSION, VS_VERSION_INFO, 0x30, LANGUAGE));
    file.extend(data);
    align(&mut file);
    Ok(file)
}

/// RESOURCEHEADER with a numeric type and name.
fn header(data_bytes: usize, kind: u16, name: u16, memory_flags: u16, language: u16) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend((data_bytes as u32).to_le_bytes());
    header.extend(32_u32.to_le_bytes());
    for word in [0xffff, kind, 0xffff, name, 0, 0, memory_flags, language, 0, 0, 0, 0] {
        header.extend(u16::to_le_bytes(word));
    }
    header
}

fn version_information(numbers: [u16; 4]) -> Vec<u8> {
    let [major, minor, patch, build] = numbers;
    let version = format!("{major}.{minor}.{patch}.{build}");
    let strings = [
        ("CompanyName", "The Tunic authors"),
        ("FileDescription", "Tunic network adapter"),
        ("FileVersion", &version),
        ("InternalName", "tunic.sys"),
        ("LegalCopyright", "The Tunic authors. MIT OR Apache-2.0"),
        ("OriginalFilename", "tunic.sys"),
        ("ProductName", "Tunic"),
        ("ProductVersion", &version),
    ];
    let strings = strings.map(|(key, text)| node(key, Value::Text(text), &[]));
    let table = node(&format!("{LANGUAGE:04x}{CODE_PAGE:04x}"), Value::None, &strings);
    let translation: Vec<u8> = [LANGUAGE, CODE_PAGE].iter().flat_map(|n| n.to_le_bytes()).collect();
    let translation = node("Translation", Value::Bytes(&translation), &[]);
    let children = [
        node("StringFileInfo", Value::None, &[table]),
        node("VarFileInfo", Value::None, &[translation]),
    ];
    node("VS_VERSION_INFO", Value::Bytes(&fixed_information(numbers)), &children)
}

/// VS_FIXEDFILEINFO.
fn fixed_information([major, minor, patch, build]: [u16; 4]) -> Vec<u8> {
    let upper = u32::from(major) << 16 | u32::from(minor);
    let lower = u32::from(patch) << 16 | u32::from(build);
    let fields: [u32; 13] = [
        0xfeef_04bd, // the signature
        0x0001_0000, // the struct's version
        upper,
        lower, // the file's version
        upper,
        lower, // the product's version
        0x3f,
        0,           // no flag of VS_FFI_FILEFLAGSMASK
        0x0004_0004, // VOS_NT_WINDOWS32
        3,           // VFT_DRV
        6,           // VFT2_DRV_NETWORK
        0,
        0, // no date
    ];
    fields.iter().flat_map(|field| field.to_le_bytes()).collect()
}

#[derive(Clone, Copy)]
enum Value<'a> {
    None,
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// A node of the tree: length, length of the value, kind, key, value, children, each aligned to 4
/// bytes.
fn node(key: &str, value: Value<'_>, children: &[Vec<u8>]) -> Vec<u8> {
    let (value, value_length, is_text) = match value {
        Value::None => (Vec::new(), 0, true),
        Value::Text(text) => {
            let value = utf16(text);
            let characters = value.len() / 2;
            (value, characters, true)
        }
        Value::Bytes(bytes) => (bytes.to_vec(), bytes.len(), false),
    };
    let mut node = vec![0, 0];
    node.extend((value_length as u16).to_le_bytes());
    node.extend(u16::from(is_text).to_le_bytes());
    node.extend(utf16(key));
    align(&mut node);
    node.extend(value);
    for child in children {
        align(&mut node);
        node.extend(child);
    }
    let length = (node.len() as u16).to_le_bytes();
    node[..2].copy_from_slice(&length);
    node
}

/// A string in UTF-16, with its NUL.
fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

fn align(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}
