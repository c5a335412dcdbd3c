//! Miniports that break a rule: each is reported by name and stopped.

use std::time::Duration;

use nt_host::edge::capture::Capture;
use nt_host::ndis::{Adapter, AdapterOptions, MiniportDriver, OidRequest, SendLevel, Tuning};
use nt_host::violation::EXIT_CODE;
use nt_sys::ndis::{OID_GEN_VENDOR_ID, OID_TCP_OFFLOAD_PARAMETERS};

use crate::child;
use crate::machine::{boot, turn};
use crate::miniport::{self, fault::Fault};

/// Tells a child which fault its miniport has.
const FAULT: &str = "NT_HOST_TEST_FAULT";

/// The expected report of a fault.
fn expected(fault: Fault) -> &'static str {
    match fault {
        Fault::None => "",
        Fault::CompleteTwice => "NBL COMPLETED TWICE: NdisMSendNetBufferListsComplete: ",
        Fault::TouchAfterCompletion => {
            "NBL TOUCHED AFTER COMPLETION: NdisMSendNetBufferListsComplete: the NET_BUFFER_LIST of "
        }
        Fault::ReadAfterCompletion => "NBL TOUCHED AFTER COMPLETION: access: ",
        Fault::WriteDataAfterCompletion => {
            "NBL TOUCHED AFTER COMPLETION: NdisMSendNetBufferListsComplete: the data of "
        }
        Fault::LeakPool => {
            "LEFT AT UNLOAD: loopback: DriverUnload: NET_BUFFER_LIST pool with tag Loop"
        }
        Fault::FreePoolInUse => "NBL LEAK: NdisFreeNetBufferListPool: 1 of pool Loop",
        Fault::PauseWithSends => "PAUSE COMPLETED EARLY: MiniportPause: 1 sent",
        Fault::PauseNever => "BAD ARGUMENT: MiniportPause: ",
        Fault::IndicateWhilePaused => {
            "INDICATED WHILE PAUSED: NdisMIndicateReceiveNetBufferLists: "
        }
        Fault::DispatchFlagAtPassive => "WRONG DISPATCH FLAG: NdisMSendNetBufferListsComplete: ",
        Fault::IndicateTwice => "NBL NOT OWNED: NdisMIndicateReceiveNetBufferLists: ",
        Fault::FreeIndicated => "NBL BAD FREE: NdisFreeNetBufferList: ",
        Fault::FreeTwice => "NBL BAD FREE: NdisFreeNetBufferList: ",
        Fault::CompleteOwnList => "NBL NEVER SENT: NdisMSendNetBufferListsComplete: ",
        Fault::IndicateSentList => "NBL NOT OWNED: NdisMIndicateReceiveNetBufferLists: ",
        Fault::WrongCount => "NBL BAD CHAIN: NdisMIndicateReceiveNetBufferLists: 2 lists",
        Fault::ChangeSentList => "NBL CHANGED: NdisMSendNetBufferListsComplete: ",
        Fault::NoAttributes => "ATTRIBUTES MISSING: MiniportInitializeEx: ",
        Fault::CompleteOidTwice => "NOT PENDING: NdisMOidRequestComplete: ",
        Fault::HaltWithDevice => "LEFT AT UNLOAD: unload: device objects keep the driver ",
        Fault::ChecksumUnasked => "OFFLOAD NOT ON: NdisMIndicateReceiveNetBufferLists: ",
        Fault::OffloadUntold => "OFFLOAD NOT TOLD: MiniportOidRequest: ",
        Fault::UseHaltedAdapter => {
            "WRONG ADAPTER STATE: NdisWriteErrorLogEntry: adapter lo is halted"
        }
        Fault::UseFreedPool => "BAD NDIS HANDLE: NdisAllocateNetBufferList: ",
        Fault::LeakConfiguration => {
            "LEFT AT UNLOAD: loopback: DriverUnload: open configuration of adapter lo"
        }
        Fault::CloseConfigurationTwice => "BAD NDIS HANDLE: NdisCloseConfiguration: ",
    }
}

#[test]
fn every_fault_is_caught_and_named() {
    let test = "nbl_rules::every_fault_is_caught_and_named";
    for fault in miniport::fault::ALL {
        let number = (fault as u32).to_string();
        let (code, said) = child::run(test, Some((FAULT, number.as_ref())), || run(chosen()));
        assert_eq!(code, Some(EXIT_CODE), "{fault:?}: {said}");
        let line = format!("nt-host: STOP {}", expected(fault));
        assert!(
            said.lines().any(|said| said.starts_with(&line)),
            "{fault:?}: {line:?} is not in: {said}"
        );
    }
}

/// The fault that the parent wants of this process.
fn chosen() -> Fault {
    let number = std::env::var(FAULT).ok().and_then(|number| number.parse::<u32>().ok());
    let fault = miniport::fault::ALL.into_iter().find(|fault| Some(*fault as u32) == number);
    fault.unwrap_or(Fault::None)
}

/// The life of an adapter, which is without fault if the driver is.
fn run(fault: Fault) {
    miniport::fault::set_fault(fault);
    let machine = boot();
    let driver = machine.load_linked("loopback", miniport::driver_entry).expect("the driver loads");
    let edge = Capture::new();
    let options = AdapterOptions {
        name: "lo".to_owned(),
        guid: [0; 16],
        if_index: 1,
        net_luid_index: 1,
        mtu: 1420,
        configuration: Vec::new(),
        edge: Box::new(edge.clone()),
    };
    let holds = matches!(fault, Fault::IndicateTwice | Fault::FreeIndicated);
    let tuning = Tuning {
        send_level: SendLevel::Passive,
        guard: fault == Fault::ReadAfterCompletion,
        hold_indications: holds.then_some(Duration::from_secs(10)),
        ..Tuning::default()
    };
    let miniport = MiniportDriver::of(driver.object()).expect("it has registered");
    let adapter = Adapter::add_tuned(miniport, options, tuning).expect("the adapter starts");
    let mut packet = [0; 100];
    packet[0] = 0x45;
    assert_eq!(edge.send(&[&packet]), Ok(1));
    let mut buffer = [0; 4];
    adapter
        .oid(OidRequest::Query { oid: OID_GEN_VENDOR_ID, buffer: &mut buffer })
        .expect("it answers");
    if fault == Fault::OffloadUntold {
        let change = OidRequest::Set { oid: OID_TCP_OFFLOAD_PARAMETERS, buffer: &[0; 20] };
        adapter.oid(change).expect("it says that it has changed them");
    }
    adapter.pause().expect("it pauses");
    if fault == Fault::IndicateWhilePaused {
        miniport::packets::indicate_one(0);
    }
    adapter.restart().expect("it restarts");
    adapter.remove(false);
    driver.unload();
}

#[test]
fn without_a_fault_nothing_is_said() {
    let _turn = turn();
    run(Fault::None);
}
