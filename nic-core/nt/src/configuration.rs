//! An adapter's configuration in the registry.

use core::ptr;

use nt_sys::ndis::{
    NDIS_CONFIGURATION_OBJECT, NDIS_CONFIGURATION_OBJECT_REVISION_1, NDIS_CONFIGURATION_PARAMETER,
    NDIS_HANDLE, NDIS_OBJECT_HEADER, NDIS_OBJECT_TYPE_CONFIGURATION_OBJECT,
    NDIS_SIZEOF_CONFIGURATION_OBJECT_REVISION_1, NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS,
    NdisCloseConfiguration, NdisOpenConfigurationEx, NdisParameterHexInteger, NdisParameterInteger,
    NdisParameterString, NdisReadConfiguration,
};
use nt_sys::ntdef::UNICODE_STRING;

use crate::status::{Result, Status};

/// An adapter's configuration parameters, open for reading.
pub struct Configuration {
    handle: NDIS_HANDLE,
}

impl Configuration {
    /// # Safety
    /// The handle must be the adapter handle that MiniportInitializeEx was called with.
    pub(crate) unsafe fn open(adapter: NDIS_HANDLE) -> Result<Self> {
        let object = NDIS_CONFIGURATION_OBJECT {
            Header: NDIS_OBJECT_HEADER {
                Type: NDIS_OBJECT_TYPE_CONFIGURATION_OBJECT,
                Revision: NDIS_CONFIGURATION_OBJECT_REVISION_1,
                Size: NDIS_SIZEOF_CONFIGURATION_OBJECT_REVISION_1,
            },
            NdisHandle: adapter,
            Flags: 0,
        };
        let mut handle: NDIS_HANDLE = ptr::null_mut();
        // SAFETY: by the caller's promise; the pointers are to the stack.
        let status = unsafe { NdisOpenConfigurationEx(&raw const object, &raw mut handle) };
        Status(status).ok()?;
        Ok(Self { handle })
    }

    /// Reads an integer. `None` if the keyword is missing or is not a number. NDIS returns the type
    /// that the registry has, whichever was requested (ndis.h, NdisReadConfiguration).
    ///
    /// # Errors
    /// [`Status::INSUFFICIENT_RESOURCES`] without memory to read it.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn integer(&self, keyword: &[u16]) -> Result<Option<u32>> {
        let Some(parameter) = self.read(keyword, NdisParameterInteger)? else { return Ok(None) };
        let kind = parameter.ParameterType;
        if kind == NdisParameterInteger || kind == NdisParameterHexInteger {
            // SAFETY: the type says that this member of the union is valid.
            return Ok(Some(unsafe { parameter.ParameterData.IntegerData }));
        }
        // An INF writes numbers as text.
        let number = self.string(keyword, |text| {
            text.iter().try_fold(0_u32, |number, unit| {
                let digit = char::from_u32(u32::from(*unit))?.to_digit(10)?;
                number.checked_mul(10)?.checked_add(digit)
            })
        })?;
        Ok(number.flatten())
    }

    /// Reads a UTF-16 string and passes it to `take`. `None` if the keyword is missing or is not a
    /// string.
    ///
    /// # Errors
    /// As [`Configuration::integer`].
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn string<R>(&self, keyword: &[u16], take: impl FnOnce(&[u16]) -> R) -> Result<Option<R>> {
        let Some(parameter) = self.read(keyword, NdisParameterString)? else { return Ok(None) };
        if parameter.ParameterType != NdisParameterString {
            return Ok(None);
        }
        // SAFETY: the type says that this member of the union is valid.
        let string: UNICODE_STRING = unsafe { parameter.ParameterData.StringData };
        if string.Buffer.is_null() {
            return Ok(Some(take(&[])));
        }
        // SAFETY: the string stays until the configuration is closed.
        let text =
            unsafe { core::slice::from_raw_parts(string.Buffer, usize::from(string.Length) / 2) };
        Ok(Some(take(text)))
    }

    fn read(&self, keyword: &[u16], kind: u32) -> Result<Option<NDIS_CONFIGURATION_PARAMETER>> {
        let Ok(bytes) = u16::try_from(size_of_val(keyword)) else { return Ok(None) };
        let keyword = UNICODE_STRING {
            Length: bytes,
            MaximumLength: bytes,
            Buffer: keyword.as_ptr().cast_mut(),
        };
        let mut status = NDIS_STATUS_SUCCESS;
        let mut parameter: *mut NDIS_CONFIGURATION_PARAMETER = ptr::null_mut();
        // SAFETY: the handle is open; the pointers are to the stack.
        unsafe {
            NdisReadConfiguration(
                &raw mut status,
                &raw mut parameter,
                self.handle,
                &raw const keyword,
                kind,
            );
        }
        match status {
            NDIS_STATUS_SUCCESS => {}
            NDIS_STATUS_RESOURCES => return Err(Status::INSUFFICIENT_RESOURCES),
            _ => return Ok(None),
        }
        // SAFETY: on success it points to a parameter that stays until the configuration is closed.
        Ok(unsafe { parameter.as_ref() }.copied())
    }
}

impl Drop for Configuration {
    fn drop(&mut self) {
        // SAFETY: the handle is open.
        unsafe { NdisCloseConfiguration(self.handle) };
    }
}
