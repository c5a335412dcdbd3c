//! The instructions: only the wide kernels of nic-crypto use registers that NT doesn't save for a
//! driver.
//!
//! On x64, NT saves x87 and SSE for kernel code; AVX and later are allowed only between
//! KeSaveExtendedProcessorState and its restore. The wide kernels take a token of that (`Tier`). On
//! ARM64, NEON is always saved.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use iced_x86::{Decoder, DecoderOptions, EncodingKind, Mnemonic};
use object::LittleEndian as LE;
use object::pe::IMAGE_SCN_MEM_EXECUTE;

use super::file::Image;
use crate::arch::Arch;
use crate::stack::names::Names;

/// The modules of nic-crypto's wide kernels.
const WIDE: [&str; 4] = [
    "nic_crypto::backend::x86::chacha::avx2::",
    "nic_crypto::backend::x86::chacha::avx512::",
    "nic_crypto::backend::x86::gcm::avx2::",
    "nic_crypto::backend::x86::gcm::avx512::",
];

/// Checks an image with the linker's map at `map`.
pub(crate) fn check(image: &Image<'_>, map: &Path) -> Result<Vec<String>> {
    if image.arch == Arch::Arm64 {
        return Ok(Vec::new());
    }
    let map = fs::read_to_string(map).with_context(|| map.display().to_string())?;
    let names = Names::parse(&map)?;
    // A function reaches to the next one.
    let is_wide = |address: u32| {
        let names = names.before(address);
        !names.is_empty() && names.iter().all(|name| WIDE.iter().any(|it| name.starts_with(it)))
    };
    let mut found = BTreeSet::new();
    for section in image.sections() {
        if section.characteristics.get(LE) & IMAGE_SCN_MEM_EXECUTE == 0 {
            continue;
        }
        let address = section.virtual_address.get(LE);
        let code = image.data_at(address)?;
        // The rest is padding of the file.
        let code = code.get(..section.virtual_size.get(LE) as usize).unwrap_or(code);
        for instruction in Decoder::with_ip(64, code, address.into(), DecoderOptions::NONE) {
            let is_extended = instruction.encoding() != EncodingKind::Legacy
                // BMI instructions have AVX's encoding, but only use general registers.
                && (0..instruction.op_count())
                    .any(|operand| instruction.op_register(operand).is_vector_register());
            if (is_extended
                || matches!(instruction.mnemonic(), Mnemonic::Vzeroupper | Mnemonic::Vzeroall))
                && !is_wide(u32::try_from(instruction.ip())?)
            {
                found.insert((instruction.ip(), format!("{instruction}")));
            }
        }
    }
    let count = found.len();
    let more = (count > 3).then(|| format!("and {} more", count - 3));
    let first = found.into_iter().take(3);
    Ok(first.map(|(address, text)| format!("AVX at {address:#x}: {text}")).chain(more).collect())
}
