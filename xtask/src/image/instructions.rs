//! The instructions: none uses registers that the kernel doesn't save for a driver.
//!
//! On x64, NT saves x87 and SSE for kernel code; AVX and later are allowed only between
//! KeSaveExtendedProcessorState and its restore. On ARM64, NEON is always saved.

use std::collections::BTreeSet;

use anyhow::Result;
use iced_x86::{Decoder, DecoderOptions, EncodingKind, Mnemonic};
use object::LittleEndian as LE;
use object::pe::IMAGE_SCN_MEM_EXECUTE;

use super::file::Image;
use crate::arch::Arch;

pub(crate) fn check(image: &Image<'_>) -> Result<Vec<String>> {
    if image.arch == Arch::Arm64 {
        return Ok(Vec::new());
    }
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
            if is_extended
                || matches!(instruction.mnemonic(), Mnemonic::Vzeroupper | Mnemonic::Vzeroall)
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
