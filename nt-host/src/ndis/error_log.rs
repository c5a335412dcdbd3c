//! NdisWriteErrorLogEntry (ndis.h): the event log.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use nt_sys::ndis::NDIS_HANDLE;
use nt_sys::ntdef::{DISPATCH_LEVEL, ULONG};

use super::miniport_adapter::MiniportAdapter;
use crate::irql;

/// The number of entries that are kept.
const KEPT: usize = 1024;

static LOG: Mutex<VecDeque<(String, u32)>> = Mutex::new(VecDeque::new());

/// The last 1024 entries that drivers wrote to the event log: the adapter's name and the error
/// code.
#[must_use]
pub fn error_log() -> Vec<(String, u32)> {
    LOG.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
}

export! { "ndis.sys";
    /// ndis.h, NdisWriteErrorLogEntry. The function is variadic in C. An integer argument after the
    /// named ones is passed as a named one, so this definition need not be variadic. The values are
    /// not kept.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Safety
    /// None beyond the handle's validity.
    pub unsafe fn NdisWriteErrorLogEntry(
        ndis_adapter_handle: NDIS_HANDLE,
        error_code: ULONG,
        number_of_error_values: ULONG,
    ) {
        const FUNCTION: &str = "NdisWriteErrorLogEntry";
        let _ = number_of_error_values;
        irql::require_at_most(FUNCTION, DISPATCH_LEVEL);
        let adapter = MiniportAdapter::of(FUNCTION, ndis_adapter_handle);
        let mut log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
        log.push_back((adapter.name.clone(), error_code));
        if log.len() > KEPT {
            log.pop_front();
        }
    }
}
