//! DbgPrintEx: C formats, printed on stderr.

use core::ffi::{CStr, c_char};
use core::fmt::Write;
use core::sync::atomic::{AtomicU32, Ordering};

use nt_sys::ntdef::{DISPATCH_LEVEL, NTSTATUS, ULONG, UNICODE_STRING};
use nt_sys::rtl::{DPFLTR_INFO_LEVEL, DPFLTR_WARNING_LEVEL};
use nt_sys::status::STATUS_SUCCESS;

use crate::irql;
use crate::rtl::string;
use crate::stack;

static LEVEL: AtomicU32 = AtomicU32::new(DPFLTR_WARNING_LEVEL);

/// Sets the highest level that is printed: 0 errors, 1 warnings, 2 trace, 3 information.
pub fn set_level(level: u32) {
    LEVEL.store(level, Ordering::Relaxed);
}

export! { "ntoskrnl.exe";
    /// wdm.h, DbgPrintEx. It is variadic in C, and each argument takes one word. This function
    /// always takes 8 words. Floating-point arguments are not supported.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL (DIRQL for some formats, which are not used).
    ///
    /// # Safety
    /// `format` ends with 0, and its conversions match the arguments.
    pub unsafe fn DbgPrintEx(
        _component: ULONG,
        level: ULONG,
        format: *const c_char,
        word0: usize,
        word1: usize,
        word2: usize,
        word3: usize,
        word4: usize,
        word5: usize,
        word6: usize,
        word7: usize,
    ) -> ULONG {
        irql::require_at_most("DbgPrintEx", DISPATCH_LEVEL);
        // Levels from 32 on are masks (wdm.h, DPFLTR_MASK): print them.
        if level <= DPFLTR_INFO_LEVEL && level > LEVEL.load(Ordering::Relaxed) {
            return STATUS_SUCCESS.cast_unsigned();
        }
        let words = [word0, word1, word2, word3, word4, word5, word6, word7];
        stack::on_host(|| {
            // SAFETY: as the caller promises.
            let format = unsafe { CStr::from_ptr(format) };
            // SAFETY: as the caller promises.
            let text = unsafe { render(format.to_bytes(), &words) };
            eprint!("driver: {}{}", text, if text.ends_with('\n') { "" } else { "\n" });
        });
        let status: NTSTATUS = STATUS_SUCCESS;
        status.cast_unsigned()
    }
}

/// # Safety
/// The words match the conversions of the format.
unsafe fn render(format: &[u8], words: &[usize]) -> String {
    let mut out = String::new();
    let mut words = words.iter().copied();
    let mut rest = format.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            out.push(char::from(byte));
            continue;
        }
        let mut zero = false;
        let mut width = 0_usize;
        let mut wide = 0_u32;
        let mut counted = false;
        let conversion = loop {
            match rest.next() {
                Some(b'0') if width == 0 => zero = true,
                Some(b'#' | b'-' | b'+' | b' ' | b'.' | b'h') => {}
                Some(digit @ b'0'..=b'9') => {
                    width = (width * 10 + usize::from(digit - b'0')).min(64);
                }
                Some(b'l') => wide += 1,
                Some(b'z' | b'j' | b't') => wide = 2,
                Some(b'I') => {
                    // I64: the digits follow.
                    wide = 2;
                    while rest.next_if(u8::is_ascii_digit).is_some() {}
                }
                Some(b'w') => counted = true,
                other => break other,
            }
        };
        let mut word = || words.next().unwrap_or_default();
        let unsigned = |word: usize| if wide >= 2 { word as u64 } else { u64::from(word as u32) };
        let piece = match conversion {
            Some(b'd' | b'i') => {
                let word = word();
                let value = if wide >= 2 { word as i64 } else { i64::from(word as i32) };
                value.to_string()
            }
            Some(b'u') => unsigned(word()).to_string(),
            Some(b'x') => format!("{:x}", unsigned(word())),
            Some(b'X') => format!("{:X}", unsigned(word())),
            Some(b'p') => format!("{:016x}", word()),
            Some(b'c') => char::from(word() as u8).to_string(),
            Some(b's') => {
                let text = core::ptr::with_exposed_provenance::<c_char>(word());
                if text.is_null() {
                    "(null)".to_owned()
                } else {
                    // SAFETY: as the caller promises.
                    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
                }
            }
            Some(b'Z') if counted => {
                let text = core::ptr::with_exposed_provenance::<UNICODE_STRING>(word());
                // SAFETY: as the caller promises.
                let text = unsafe { text.as_ref() };
                // SAFETY: as the caller promises.
                text.map_or_else(String::new, |text| unsafe { string::to_string(text) })
            }
            Some(b'%') => "%".to_owned(),
            _ => "%?".to_owned(),
        };
        let _ = if zero { write!(out, "{piece:0>width$}") } else { write!(out, "{piece:>width$}") };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_conversions() {
        let words = [usize::MAX, 0xab, c"text".as_ptr().expose_provenance(), 1 << 40, 7];
        // SAFETY: the words are what the format says.
        let text = unsafe { render(b"%d %04x %s %I64u %3u%%", &words) };
        assert_eq!(text, "-1 00ab text 1099511627776   7%");
    }
}
