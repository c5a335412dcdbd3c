//! Drivers that break a rule of netioapi.h: the process stops and names the rule.

use core::ffi::c_void;
use core::ptr;

use nt_host::MachineOptions;
use nt_host::netio::{Network, NetworkInterface, NetworkRoute, set_network};
use nt_sys::ke::{KeLowerIrql, KeRaiseIrqlToDpcLevel};
use nt_sys::netioapi::{
    CancelMibChangeNotify2, FreeMibTable, GetIpForwardTable2, MIB_IPFORWARD_ROW2,
    MIB_IPFORWARD_TABLE2, NotifyRouteChange2,
};
use nt_sys::ntdef::HANDLE;
use nt_sys::wsk::{AF_INET, AF_UNSPEC};

use crate::child;
use crate::driver::{Routines, load};

/// Runs a driver with this entry point in a child process, which must stop so.
fn stops(test: &str, start: &str, entry: fn()) {
    let (code, errors) = child::run(&format!("netio::{test}"), None, || {
        let route = NetworkRoute {
            destination: [0; 4].into(),
            prefix_length: 0,
            gateway: None,
            interface_index: 1,
            metric: 0,
        };
        let interface =
            NetworkInterface { index: 1, luid: 7, metric: 0, mtu: 1500, is_connected: true };
        let interfaces = vec![interface];
        set_network(Some(Network { interfaces, routes: vec![route], addresses: vec![] }));
        let routines = Routines { entry, ..Routines::idle() };
        load(MachineOptions::default(), routines).1.unload();
    });
    assert_eq!(code, Some(nt_host::violation::EXIT_CODE), "{errors}");
    assert!(errors.contains(&format!("nt-host: STOP {start}")), "{errors}");
}

fn table() -> *mut MIB_IPFORWARD_TABLE2 {
    let mut table = ptr::null_mut();
    // SAFETY: the pointer is to a local.
    assert_eq!(unsafe { GetIpForwardTable2(AF_INET, &raw mut table) }, 0);
    table
}

unsafe extern "efiapi" fn nothing(_: *mut c_void, _: *mut MIB_IPFORWARD_ROW2, _: i32) {}

fn registered() -> HANDLE {
    let mut handle = ptr::null_mut();
    // SAFETY: the callback needs no context.
    let status =
        unsafe { NotifyRouteChange2(AF_UNSPEC, nothing, ptr::null_mut(), 0, &raw mut handle) };
    assert_eq!(status, 0);
    handle
}

#[test]
fn table_not_freed() {
    stops("table_not_freed", "LEFT AT UNLOAD: ", || {
        table();
    });
}

#[test]
fn table_freed_twice() {
    stops("table_freed_twice", "BAD FREE: FreeMibTable", || {
        let table = table();
        for _ in 0..2 {
            // SAFETY: what is broken is what the host has to find.
            unsafe { FreeMibTable(table.cast()) };
        }
    });
}

#[test]
fn routes_read_at_dispatch() {
    stops("routes_read_at_dispatch", "WRONG IRQL: GetIpForwardTable2", || {
        // SAFETY: the level is lowered again.
        let before = unsafe { KeRaiseIrqlToDpcLevel() };
        table();
        // SAFETY: the level was raised.
        unsafe { KeLowerIrql(before) };
    });
}

#[test]
fn registration_not_cancelled() {
    stops("registration_not_cancelled", "LEFT AT UNLOAD: ", || {
        registered();
    });
}

#[test]
fn registration_cancelled_twice() {
    stops("registration_cancelled_twice", "BAD ARGUMENT: CancelMibChangeNotify2", || {
        let handle = registered();
        for _ in 0..2 {
            // SAFETY: what is broken is what the host has to find.
            unsafe { CancelMibChangeNotify2(handle) };
        }
    });
}

#[test]
fn registration_cancelled_by_its_callback() {
    unsafe extern "efiapi" fn ends(context: *mut c_void, _: *mut MIB_IPFORWARD_ROW2, _: i32) {
        // SAFETY: the context is the handle's place.
        let handle = unsafe { *context.cast::<HANDLE>() };
        // SAFETY: what is broken is what the host has to find.
        unsafe { CancelMibChangeNotify2(handle) };
    }
    stops("registration_cancelled_by_its_callback", "BAD ARGUMENT: CancelMib", || {
        let handle: &'static mut HANDLE = Box::leak(Box::new(ptr::null_mut()));
        let place = ptr::from_mut(handle);
        // SAFETY: the context is never freed.
        unsafe { NotifyRouteChange2(AF_UNSPEC, ends, place.cast(), 0, place) };
        set_network(None);
        // The callback stops the child; one that is not stopped ends by its alarm.
        loop {
            std::thread::park();
        }
    });
}
