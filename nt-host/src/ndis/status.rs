//! NdisMIndicateStatusEx (ndis.h): status indications.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use nt_sys::ndis::{
    MediaConnectStateConnected, NDIS_HANDLE, NDIS_LINK_STATE, NDIS_OBJECT_TYPE_DEFAULT,
    NDIS_OBJECT_TYPE_STATUS_INDICATION, NDIS_OFFLOAD, NDIS_SIZEOF_LINK_STATE_REVISION_1,
    NDIS_SIZEOF_STATUS_INDICATION_REVISION_1, NDIS_STATUS_INDICATION, NDIS_STATUS_LINK_STATE,
    NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG,
};
use nt_sys::ntdef::DISPATCH_LEVEL;

use super::attributes::read_offload;
use super::miniport_adapter::MiniportAdapter;
use super::state::State;
use crate::irql;
use crate::stack;
use crate::violation::{Rule, stop};

const FUNCTION: &str = "NdisMIndicateStatusEx";

export! { "ndis.sys";
    /// ndis.h, NdisMIndicateStatusEx.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Safety
    /// `status_indication` and its buffer are valid.
    pub unsafe fn NdisMIndicateStatusEx(
        miniport_adapter_handle: NDIS_HANDLE,
        status_indication: *const NDIS_STATUS_INDICATION,
    ) {
        irql::require_at_most(FUNCTION, DISPATCH_LEVEL);
        let adapter = MiniportAdapter::of(FUNCTION, miniport_adapter_handle);
        // SAFETY: as the driver promises.
        let indication = unsafe { &*status_indication };
        if indication.Header.Type != NDIS_OBJECT_TYPE_STATUS_INDICATION
            || indication.Header.Revision == 0
            || indication.Header.Size < NDIS_SIZEOF_STATUS_INDICATION_REVISION_1
        {
            stop(
                Rule::BAD_ARGUMENT,
                FUNCTION,
                format_args!("the indication begins with {:?}", indication.Header),
            );
        }
        if indication.SourceHandle != miniport_adapter_handle {
            stop(
                Rule::BAD_ARGUMENT,
                FUNCTION,
                format_args!("SourceHandle is not the miniport adapter handle"),
            );
        }
        match indication.StatusCode {
            NDIS_STATUS_LINK_STATE => {
                if indication.StatusBufferSize < u32::from(NDIS_SIZEOF_LINK_STATE_REVISION_1)
                    || indication.StatusBuffer.is_null()
                {
                    stop(
                        Rule::BAD_ARGUMENT,
                        FUNCTION,
                        format_args!("NDIS_STATUS_LINK_STATE has no link state"),
                    );
                }
                // SAFETY: as the driver promises.
                let link = unsafe { *indication.StatusBuffer.cast::<NDIS_LINK_STATE>() };
                set_link(adapter, link);
            }
            NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG => {
                // SAFETY: as the driver promises.
                let offload =
                    unsafe { read_offload(indication.StatusBuffer.cast::<NDIS_OFFLOAD>()) };
                let Some(current) = offload else {
                    stop(
                        Rule::BAD_ARGUMENT,
                        FUNCTION,
                        format_args!("the indication has no NDIS_OFFLOAD"),
                    );
                };
                adapter.offloads.tell();
                let mut attributes = adapter.attributes();
                if let Some((default, _)) = &mut attributes.offload {
                    *default = current;
                }
            }
            _ => {}
        }
    }
}

fn set_link(adapter: &MiniportAdapter, link: NDIS_LINK_STATE) {
    if link.Header.Type != NDIS_OBJECT_TYPE_DEFAULT || link.Header.Revision == 0 {
        stop(
            Rule::BAD_ARGUMENT,
            FUNCTION,
            format_args!("the link state begins with {:?}", link.Header),
        );
    }
    *adapter.link.lock().unwrap_or_else(PoisonError::into_inner) = link;
    let is_up = link.MediaConnectState == MediaConnectStateConnected;
    let was_up = adapter.link_is_up.swap(u32::from(is_up), Ordering::AcqRel) != 0;
    // The edge is notified of a link that is already up when it is attached and the adapter
    // restarted.
    if was_up != is_up && adapter.states.state() != State::Initializing {
        stack::on_host(|| adapter.edge.link(is_up));
    }
}
