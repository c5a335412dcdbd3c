//! An adapter's keywords in the registry (ndis.h).

use std::collections::BTreeMap;
use std::pin::Pin;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nt_sys::ndis::{
    BINARY_DATA, NDIS_CONFIGURATION_OBJECT, NDIS_CONFIGURATION_PARAMETER,
    NDIS_CONFIGURATION_PARAMETER_DATA, NDIS_HANDLE, NDIS_OBJECT_TYPE_CONFIGURATION_OBJECT,
    NDIS_PARAMETER_TYPE, NDIS_SIZEOF_CONFIGURATION_OBJECT_REVISION_1, NDIS_STATUS,
    NDIS_STATUS_FAILURE, NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS, NdisParameterBinary,
    NdisParameterInteger, NdisParameterString,
};
use nt_sys::ntdef::{PASSIVE_LEVEL, UNICODE_STRING};

use super::config_value::ConfigValue;
use super::miniport_adapter::MiniportAdapter;
use crate::irql;
use crate::loaded;
use crate::pool;
use crate::rtl::string::text;
use crate::violation::{Rule, stop};

/// The target of a configuration handle. Freed when the handle is closed.
struct Configuration {
    keywords: Vec<(String, ConfigValue)>,
    /// Parameters that were read. The driver may use them until it closes the handle.
    answers: Vec<Pin<Box<Answer>>>,
}

/// Open handles, with the names of their adapters.
static OPEN: Mutex<BTreeMap<usize, String>> = Mutex::new(BTreeMap::new());

struct Answer {
    parameter: NDIS_CONFIGURATION_PARAMETER,
    /// The memory that the parameter points to.
    _text: Vec<u16>,
    _bytes: Vec<u8>,
}

impl Configuration {
    fn of(function: &str, handle: NDIS_HANDLE) -> *mut Self {
        if !open().contains_key(&handle.addr()) {
            stop(
                Rule::BAD_NDIS_HANDLE,
                function,
                format_args!("{handle:p} is not an open configuration handle"),
            );
        }
        handle.cast()
    }
}

export! { "ndis.sys";
    /// ndis.h, NdisOpenConfigurationEx.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Safety
    /// The pointers are valid.
    pub unsafe fn NdisOpenConfigurationEx(
        config_object: *const NDIS_CONFIGURATION_OBJECT,
        configuration_handle: *mut NDIS_HANDLE,
    ) -> NDIS_STATUS {
        const FUNCTION: &str = "NdisOpenConfigurationEx";
        irql::require_exactly(FUNCTION, PASSIVE_LEVEL);
        // SAFETY: as the driver promises.
        let header = unsafe { (*config_object).Header };
        if header.Type != NDIS_OBJECT_TYPE_CONFIGURATION_OBJECT
            || header.Revision == 0
            || header.Size < NDIS_SIZEOF_CONFIGURATION_OBJECT_REVISION_1
        {
            stop(Rule::BAD_ARGUMENT, FUNCTION, format_args!("the object begins with {header:?}"));
        }
        // SAFETY: as the driver promises.
        let handle = unsafe { (*config_object).NdisHandle };
        let adapter = MiniportAdapter::of(FUNCTION, handle);
        if !pool::admit() {
            return NDIS_STATUS_RESOURCES;
        }
        loaded::at_unload(left_at_unload);
        let mut keywords = adapter.configuration.clone();
        keywords.push(written_by_setup(adapter));
        let configuration = Box::new(Configuration { keywords, answers: Vec::new() });
        let configuration = Box::into_raw(configuration);
        open().insert(configuration.expose_provenance(), adapter.name.clone());
        // SAFETY: as the driver promises.
        unsafe { configuration_handle.write(configuration.cast()) };
        NDIS_STATUS_SUCCESS
    }

    /// ndis.h, NdisReadConfiguration. The requested type is ignored, as documented; the result has
    /// the type of the value.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Safety
    /// The pointers are valid.
    pub unsafe fn NdisReadConfiguration(
        status: *mut NDIS_STATUS,
        parameter_value: *mut *mut NDIS_CONFIGURATION_PARAMETER,
        configuration_handle: NDIS_HANDLE,
        keyword: *const UNICODE_STRING,
        parameter_type: NDIS_PARAMETER_TYPE,
    ) {
        const FUNCTION: &str = "NdisReadConfiguration";
        let _ = parameter_type;
        irql::require_exactly(FUNCTION, PASSIVE_LEVEL);
        let configuration = Configuration::of(FUNCTION, configuration_handle);
        // SAFETY: open, and used by one caller at a time, as documented.
        let configuration = unsafe { &mut *configuration };
        // SAFETY: as the driver promises.
        let keyword = unsafe { text(keyword) };
        let found = configuration
            .keywords
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(&keyword))
            .map(|(_, value)| value.clone());
        let (answer, parameter) = match found {
            None => (NDIS_STATUS_FAILURE, ptr::null_mut()),
            Some(_) if !pool::admit() => (NDIS_STATUS_RESOURCES, ptr::null_mut()),
            Some(value) => {
                let mut answer = Box::pin(make_answer(value));
                let parameter = &raw mut answer.parameter;
                configuration.answers.push(answer);
                (NDIS_STATUS_SUCCESS, parameter)
            }
        };
        // SAFETY: as the driver promises.
        unsafe { parameter_value.write(parameter) };
        // SAFETY: as the driver promises.
        unsafe { status.write(answer) };
    }

    /// ndis.h, NdisCloseConfiguration.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Safety
    /// Neither the handle nor what was read from it is used again.
    pub unsafe fn NdisCloseConfiguration(configuration_handle: NDIS_HANDLE) {
        const FUNCTION: &str = "NdisCloseConfiguration";
        irql::require_exactly(FUNCTION, PASSIVE_LEVEL);
        let configuration = Configuration::of(FUNCTION, configuration_handle);
        open().remove(&configuration.addr());
        // SAFETY: created by `Box::into_raw` in NdisOpenConfigurationEx, and no longer in the table
        // of open handles.
        drop(unsafe { Box::from_raw(configuration) });
    }
}

/// The value that Windows writes into every adapter's key at its installation.
fn written_by_setup(adapter: &MiniportAdapter) -> (String, ConfigValue) {
    ("NetCfgInstanceId".to_owned(), ConfigValue::String(text_of_guid(&adapter.guid)))
}

/// Lists the handles that are not closed, one line each.
fn left_at_unload() -> Vec<String> {
    open().values().map(|adapter| format!("open configuration of adapter {adapter}")).collect()
}

fn open() -> MutexGuard<'static, BTreeMap<usize, String>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A GUID (guiddef.h) in braces and capitals. Its first three parts are numbers in native byte
/// order.
fn text_of_guid(guid: &[u8; 16]) -> String {
    let [a0, a1, a2, a3, b0, b1, c0, c1, d0, d1, rest @ ..] = *guid;
    let (a, b, c, d) = (
        u32::from_ne_bytes([a0, a1, a2, a3]),
        u16::from_ne_bytes([b0, b1]),
        u16::from_ne_bytes([c0, c1]),
        u16::from_be_bytes([d0, d1]),
    );
    let rest: String = rest.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("{{{a:08X}-{b:04X}-{c:04X}-{d:04X}-{rest}}}")
}

fn make_answer(value: ConfigValue) -> Answer {
    let (mut utf16, mut bytes) = (Vec::new(), Vec::new());
    let (parameter_type, data) = match value {
        ConfigValue::Dword(value) => {
            (NdisParameterInteger, NDIS_CONFIGURATION_PARAMETER_DATA { IntegerData: value })
        }
        ConfigValue::String(value) => {
            utf16 = value.encode_utf16().chain([0]).collect();
            let maximum = u16::try_from(utf16.len() * 2).unwrap_or(u16::MAX);
            let string = UNICODE_STRING {
                Length: maximum.saturating_sub(2),
                MaximumLength: maximum,
                Buffer: utf16.as_mut_ptr(),
            };
            (NdisParameterString, NDIS_CONFIGURATION_PARAMETER_DATA { StringData: string })
        }
        ConfigValue::Binary(value) => {
            bytes = value;
            let binary = BINARY_DATA {
                Length: u16::try_from(bytes.len()).unwrap_or(u16::MAX),
                Buffer: bytes.as_mut_ptr().cast(),
            };
            (NdisParameterBinary, NDIS_CONFIGURATION_PARAMETER_DATA { BinaryData: binary })
        }
    };
    Answer {
        parameter: NDIS_CONFIGURATION_PARAMETER {
            ParameterType: parameter_type,
            ParameterData: data,
        },
        _text: utf16,
        _bytes: bytes,
    }
}
