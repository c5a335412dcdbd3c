//! Security descriptors, and whether a caller has the access that one grants.

use core::ptr;

use nt_sys::io::{FILE_ALL_ACCESS, FILE_GENERIC_EXECUTE, FILE_GENERIC_READ, FILE_GENERIC_WRITE};
use nt_sys::ntdef::{ACCESS_MASK, FALSE, KPROCESSOR_MODE};
use nt_sys::se::{
    ACCESS_ALLOWED_ACE_TYPE, ACL_REVISION, GENERIC_MAPPING, SE_DACL_PRESENT, SE_DACL_PROTECTED,
    SE_SACL_PRESENT, SE_SELF_RELATIVE, SECURITY_DESCRIPTOR_REVISION, SECURITY_SUBJECT_CONTEXT,
    SID_REVISION, SYSTEM_MANDATORY_LABEL_ACE_TYPE, SYSTEM_MANDATORY_LABEL_NO_EXECUTE_UP,
    SYSTEM_MANDATORY_LABEL_NO_READ_UP, SYSTEM_MANDATORY_LABEL_NO_WRITE_UP, SeAccessCheck,
    SeCaptureSubjectContext, SeReleaseSubjectContext,
};

use crate::status::{Result, Status};

/// The right to read the data of a file.
pub const READ_DATA: u32 = nt_sys::io::FILE_READ_DATA;
/// The right to write the data of a file.
pub const WRITE_DATA: u32 = nt_sys::io::FILE_WRITE_DATA;
/// All rights of a file (`FA`).
pub const ALL: u32 = FILE_ALL_ACCESS;
/// To read, write and execute (`GRGWGX`).
pub const READ_WRITE_EXECUTE: u32 = FILE_GENERIC_READ | FILE_GENERIC_WRITE | FILE_GENERIC_EXECUTE;
/// To read and execute (`GRGX`).
pub const READ_EXECUTE: u32 = FILE_GENERIC_READ | FILE_GENERIC_EXECUTE;

/// A well-known security identifier.
#[derive(Clone, Copy)]
pub struct Sid {
    authority: u8,
    subauthorities: [u32; 2],
    count: u8,
}

impl Sid {
    /// Everyone (`WD`).
    pub const EVERYONE: Self = Self { authority: 1, subauthorities: [0, 0], count: 1 };
    /// Restricted code (`RC`).
    pub const RESTRICTED: Self = Self { authority: 5, subauthorities: [12, 0], count: 1 };
    /// The system (`SY`).
    pub const SYSTEM: Self = Self { authority: 5, subauthorities: [18, 0], count: 1 };
    /// Administrators (`BA`).
    pub const ADMINISTRATORS: Self = Self { authority: 5, subauthorities: [32, 544], count: 2 };
    /// The label of high integrity (`HI`).
    const HIGH: Self = Self { authority: 16, subauthorities: [0x3000, 0], count: 1 };

    const fn bytes(&self) -> usize {
        8 + 4 * self.count as usize
    }
}

/// A security descriptor in self-relative form, of up to 256 bytes. Its DACL is protected.
#[repr(C, align(8))]
pub struct Descriptor {
    bytes: [u8; 256],
    length: usize,
}

/// The bytes of `SECURITY_DESCRIPTOR_RELATIVE`.
const HEADER_BYTES: usize = 20;

impl Descriptor {
    /// `D:P`, and an entry that allows for each of these rights and identifiers.
    pub const fn allowing(entries: &[(u32, Sid)]) -> Self {
        let mut descriptor = Self { bytes: [0; 256], length: HEADER_BYTES };
        descriptor.bytes[0] = SECURITY_DESCRIPTOR_REVISION;
        descriptor.control(SE_SELF_RELATIVE | SE_DACL_PRESENT | SE_DACL_PROTECTED);
        descriptor.offset(16);
        descriptor.acl(ACCESS_ALLOWED_ACE_TYPE, entries);
        descriptor
    }

    /// The same with the owner `SY`, and closed to callers below high integrity:
    /// `O:SY...S:(ML;;NWNRNX;;;HI)`.
    pub const fn of_system_and_high(entries: &[(u32, Sid)]) -> Self {
        let mut descriptor = Self::allowing(entries);
        descriptor
            .control(SE_SELF_RELATIVE | SE_DACL_PRESENT | SE_DACL_PROTECTED | SE_SACL_PRESENT);
        descriptor.offset(4);
        descriptor.sid(&Sid::SYSTEM);
        descriptor.offset(12);
        let policy = SYSTEM_MANDATORY_LABEL_NO_WRITE_UP
            | SYSTEM_MANDATORY_LABEL_NO_READ_UP
            | SYSTEM_MANDATORY_LABEL_NO_EXECUTE_UP;
        descriptor.acl(SYSTEM_MANDATORY_LABEL_ACE_TYPE, &[(policy, Sid::HIGH)]);
        descriptor
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    const fn control(&mut self, control: u16) {
        let [low, high] = control.to_le_bytes();
        self.bytes[2] = low;
        self.bytes[3] = high;
    }

    /// Writes the offset of what is appended next to a field of the header.
    const fn offset(&mut self, field: usize) {
        self.bytes[field] = self.length as u8;
    }

    const fn push(&mut self, byte: u8) {
        self.bytes[self.length] = byte;
        self.length += 1;
    }

    const fn push_u16(&mut self, value: u16) {
        let [low, high] = value.to_le_bytes();
        self.push(low);
        self.push(high);
    }

    const fn push_u32(&mut self, value: u32) {
        self.push_u16(value as u16);
        self.push_u16((value >> 16) as u16);
    }

    /// An ACL with entries of one type.
    const fn acl(&mut self, kind: u8, entries: &[(u32, Sid)]) {
        let mut bytes = 8;
        let mut index = 0;
        while index < entries.len() {
            bytes += 8 + entries[index].1.bytes();
            index += 1;
        }
        self.push_u16(ACL_REVISION as u16);
        self.push_u16(bytes as u16);
        self.push_u16(entries.len() as u16);
        self.push_u16(0);
        let mut index = 0;
        while index < entries.len() {
            let (mask, sid) = &entries[index];
            self.push_u16(kind as u16);
            self.push_u16((8 + sid.bytes()) as u16);
            self.push_u32(*mask);
            self.sid(sid);
            index += 1;
        }
    }

    const fn sid(&mut self, sid: &Sid) {
        self.push(SID_REVISION);
        self.push(sid.count);
        let mut index = 0;
        while index < 5 {
            self.push(0);
            index += 1;
        }
        self.push(sid.authority);
        let mut index = 0;
        while index < sid.count as usize {
            self.push_u32(sid.subauthorities[index]);
            index += 1;
        }
    }
}

/// Whose rights count: those of a caller in user mode, or of the kernel, which has all.
#[derive(Clone, Copy)]
pub struct AccessMode(pub(crate) KPROCESSOR_MODE);

/// Checks that the calling thread has an access.
///
/// # Errors
/// The status that SeAccessCheck gives.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub fn check(guard: &'static Descriptor, access: ACCESS_MASK, mode: AccessMode) -> Result<()> {
    let mut mapping = GENERIC_MAPPING {
        GenericRead: FILE_GENERIC_READ,
        GenericWrite: FILE_GENERIC_WRITE,
        GenericExecute: FILE_GENERIC_EXECUTE,
        GenericAll: FILE_ALL_ACCESS,
    };
    let mut subject = SECURITY_SUBJECT_CONTEXT {
        ClientToken: ptr::null_mut(),
        ImpersonationLevel: 0,
        PrimaryToken: ptr::null_mut(),
        ProcessAuditId: ptr::null_mut(),
    };
    let mut granted = 0;
    let mut status = Status::ACCESS_DENIED.0;
    // SAFETY: the context is on the stack.
    unsafe { SeCaptureSubjectContext(&raw mut subject) };
    // SAFETY: the descriptor is self-relative and only read; all else is on the stack.
    let is_granted = unsafe {
        SeAccessCheck(
            guard.bytes.as_ptr().cast_mut().cast(),
            &raw mut subject,
            FALSE,
            access,
            0,
            ptr::null_mut(),
            &raw mut mapping,
            mode.0,
            &raw mut granted,
            &raw mut status,
        )
    };
    // SAFETY: the context was captured above.
    unsafe { SeReleaseSubjectContext(&raw mut subject) };
    if is_granted != FALSE {
        return Ok(());
    }
    Err(Status(status))
}

#[cfg(test)]
mod tests {
    use nt_host::se::sddl;

    use super::{ALL, Descriptor, READ_EXECUTE, READ_WRITE_EXECUTE, Sid};

    #[test]
    fn a_descriptor_is_that_of_its_text() {
        let entries = [
            (ALL, Sid::SYSTEM),
            (ALL, Sid::ADMINISTRATORS),
            (READ_WRITE_EXECUTE, Sid::EVERYONE),
            (READ_EXECUTE, Sid::RESTRICTED),
        ];
        let open = Descriptor::allowing(&entries);
        let text = "D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GXGWGR;;;WD)(A;;GXGR;;;RC)";
        assert_eq!(sddl::is_same(open.as_bytes(), text), Ok(true));
        let high = Descriptor::of_system_and_high(&entries[..2]);
        let text = "O:SYD:P(A;;FA;;;SY)(A;;FA;;;BA)S:(ML;;NWNRNX;;;HI)";
        assert_eq!(sddl::is_same(high.as_bytes(), text), Ok(true));
        assert_eq!(sddl::is_same(open.as_bytes(), text), Ok(false));
    }
}
