//! The device that NDIS makes for an adapter: its interfaces, its files, its removal, and who may
//! do what.

use std::ptr;
use std::sync::Mutex;

use nt_host::edge::capture::Capture;
use nt_host::ndis::{Adapter, AdapterOptions, MiniportDriver, State, Tuning};
use nt_host::{DevnodeOptions, Driver, Machine, Token, pool, se, setup};
use nt_sys::io::{
    DEVICE_OBJECT, FILE_READ_DATA, FILE_WRITE_DATA, GENERIC_READ, GENERIC_WRITE,
    GUID_DEVINTERFACE_NET, IRP, IRP_MJ_CREATE, IRP_MJ_DEVICE_CONTROL, IoRegisterDeviceInterface,
    IoSetDeviceInterfaceState,
};
use nt_sys::ndis::NdisMGetDeviceProperty;
use nt_sys::ntdef::{NTSTATUS, UNICODE_STRING, UserMode};
use nt_sys::rtl::RtlFreeUnicodeString;
use nt_sys::se::{
    GENERIC_MAPPING, SECURITY_SUBJECT_CONTEXT, SeAccessCheck, SeCaptureSubjectContext,
    SeReleaseSubjectContext,
};
use nt_sys::status::{
    STATUS_ACCESS_DENIED, STATUS_INVALID_DEVICE_REQUEST, STATUS_OBJECT_NAME_EXISTS,
    STATUS_OBJECT_NAME_NOT_FOUND, STATUS_SUCCESS,
};

use crate::child;
use crate::driver::complete;
use crate::machine::{boot, turn};
use crate::miniport::{self, Utf16};

const BOTH: u32 = GENERIC_READ | GENERIC_WRITE;

/// A loaded driver with one adapter.
struct Bench {
    machine: Machine,
    driver: Driver,
    adapter: Adapter,
}

fn load() -> Bench {
    let machine = boot();
    let driver = machine.load_linked("loopback", miniport::driver_entry).expect("it loads");
    let adapter = add(&driver);
    Bench { machine, driver, adapter }
}

fn add(driver: &Driver) -> Adapter {
    let options = AdapterOptions {
        name: "lo".to_owned(),
        guid: [7; 16],
        if_index: 9,
        net_luid_index: 9,
        mtu: 1420,
        configuration: Vec::new(),
        edge: Box::new(Capture::new()),
    };
    let miniport = MiniportDriver::of(driver.object()).expect("it has registered");
    let device = DevnodeOptions::software("Test", "0");
    Adapter::add_on(device, miniport, options, Tuning::default()).expect("the adapter starts")
}

fn paths() -> Vec<String> {
    setup::interfaces(&GUID_DEVINTERFACE_NET, r"SWD\Test\0")
}

/// The physical and the functional device object of the adapter.
fn devices() -> (*mut DEVICE_OBJECT, *mut DEVICE_OBJECT) {
    let (mut physical, mut functional) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: the handle of an adapter, and locals.
    unsafe {
        NdisMGetDeviceProperty(
            miniport::last_handle(),
            &raw mut physical,
            &raw mut functional,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
        );
    }
    (physical, functional)
}

/// Registers an interface with a reference string.
fn register(physical: *mut DEVICE_OBJECT, reference: &str) -> (NTSTATUS, UNICODE_STRING) {
    let mut text = Utf16::new(reference);
    let mut reference = text.string();
    let class = GUID_DEVINTERFACE_NET;
    let mut name = UNICODE_STRING { Length: 0, MaximumLength: 0, Buffer: ptr::null_mut() };
    // SAFETY: locals.
    let status = unsafe {
        IoRegisterDeviceInterface(physical, &raw const class, &raw mut reference, &raw mut name)
    };
    (status, name)
}

fn set_state(name: &mut UNICODE_STRING, enable: bool) -> NTSTATUS {
    // SAFETY: the name of a registered interface.
    unsafe { IoSetDeviceInterfaceState(name, u8::from(enable)) }
}

#[test]
fn ndis_opens_its_files_and_they_veto_a_removal() {
    let _turn = turn();
    let Bench { machine, driver, adapter } = load();
    let found = setup::devices(Some(r"swd\test"));
    assert_eq!((found.len(), found[0].is_started), (1, true));
    assert_eq!(found[0].value("ComponentId"), Some("Test"));
    let [path] = &*paths() else { panic!("NDIS registers one interface: {:?}", paths()) };
    assert_eq!(path, r"\\?\SWD#Test#0#{cac88484-7515-4c03-82e6-71a87abac361}");
    let file = machine.open_as(path, BOTH, false).expect("everybody may open it");
    assert_eq!(file.ioctl(0x22_0000, &[], &mut []).0, STATUS_INVALID_DEVICE_REQUEST);
    let vetoed = adapter.try_remove().expect_err("a file is open");
    assert_eq!((vetoed.files, vetoed.adapter.state()), (1, State::Running));
    drop(file);
    vetoed.adapter.try_remove().map_err(|vetoed| vetoed.files).expect("nothing is open");
    assert!(paths().is_empty() && setup::devices(Some(r"SWD\Test")).is_empty());
    driver.unload();
}

#[test]
fn a_device_that_is_gone_stays_until_its_last_file_is_closed() {
    let _turn = turn();
    let Bench { machine, driver, adapter } = load();
    let path = paths().remove(0);
    let files = [(); 2].map(|()| machine.open(&path, BOTH).expect("it opens"));
    adapter.remove(true);
    assert!(paths().is_empty());
    assert_eq!(machine.open(&path, BOTH).err(), Some(STATUS_OBJECT_NAME_NOT_FOUND));
    assert_eq!(setup::devices(Some(r"SWD\Test")).len(), 1, "it is not removed yet");
    for file in files {
        assert_eq!(file.ioctl(0x22_0000, &[], &mut []).0, STATUS_INVALID_DEVICE_REQUEST);
    }
    assert!(setup::devices(Some(r"SWD\Test")).is_empty());
    add(&driver).remove(false);
    driver.unload();
}

#[test]
fn an_interface_has_a_reference_string() {
    static NAMES: Mutex<Vec<String>> = Mutex::new(Vec::new());
    unsafe extern "efiapi" fn create(_: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
        // SAFETY: a dispatch routine owns its IRP.
        let file = unsafe { (*crate::driver::location(irp)).FileObject };
        // SAFETY: the file that is being opened.
        let name = unsafe { &raw const (*file).FileName };
        // SAFETY: the file that is being opened has its name.
        let name = unsafe { &*name };
        // SAFETY: the file that is being opened has its name.
        let name = unsafe { nt_host::rtl::string::to_string(name) };
        NAMES.lock().expect("no panic").push(name);
        complete(irp, STATUS_ACCESS_DENIED, 0)
    }
    let _turn = turn();
    let Bench { machine, driver, adapter } = load();
    let (physical, functional) = devices();
    assert_ne!(physical, functional);
    assert_eq!(register(physical, r"a\b").0, STATUS_INVALID_DEVICE_REQUEST);
    assert_eq!(register(functional, "Name").0, STATUS_INVALID_DEVICE_REQUEST, "no bus made it");
    let (status, mut name) = register(physical, "Name");
    // An earlier test may have registered it: registrations stay.
    assert!(matches!(status, STATUS_SUCCESS | STATUS_OBJECT_NAME_EXISTS));
    assert_eq!(paths().len(), 1, "it is not enabled");
    assert_eq!(set_state(&mut name, true), STATUS_SUCCESS);
    assert_eq!(set_state(&mut name, true), STATUS_OBJECT_NAME_EXISTS);
    let path = paths().remove(1);
    assert!(path.ends_with(r"}\Name"), "{path}");
    assert_eq!(machine.open(&path, BOTH).err(), Some(STATUS_OBJECT_NAME_NOT_FOUND), "of NDIS");
    // A driver that replaces entries of its dispatch table sees what is opened.
    // SAFETY: the driver is loaded, and gets no request meanwhile.
    unsafe { (*driver.object()).MajorFunction[usize::from(IRP_MJ_CREATE)] = Some(create) };
    for path in [path.clone(), path.to_uppercase(), paths().remove(0)] {
        assert_eq!(machine.open(&path, BOTH).err(), Some(STATUS_ACCESS_DENIED));
    }
    assert_eq!(*NAMES.lock().expect("no panic"), [r"\Name", r"\NAME", ""].map(str::to_owned));
    assert_eq!(set_state(&mut name, false), STATUS_SUCCESS);
    assert_eq!(paths().len(), 1);
    // SAFETY: nothing uses the name any more.
    unsafe { RtlFreeUnicodeString(&raw mut name) };
    adapter.remove(false);
    driver.unload();
    assert_eq!(pool::usage(), (0, 0));
}

/// Owner and DACL of `O:SYD:P(A;;FA;;;SY)(A;;FA;;;BA)(D;;FW;;;WD)(A;;FR;;;WD)S:(ML;;NW;;;HI)`.
#[rustfmt::skip]
static GUARD: [u8; 124] = [
    1, 0, 0x14, 0x90, 0x14, 0, 0, 0, 0, 0, 0, 0, 0x7c, 0, 0, 0, 0x20, 0, 0, 0,
    1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0,
    2, 0, 0x5c, 0, 4, 0, 0, 0,
    0, 0, 0x14, 0, 0xff, 0x01, 0x1f, 0, 1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0,
    0, 0, 0x18, 0, 0xff, 0x01, 0x1f, 0, 1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0,
    1, 0, 0x14, 0, 0x16, 0x01, 0x12, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0,
    0, 0, 0x14, 0, 0x89, 0x00, 0x12, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0,
];

/// The descriptor with its SACL, the mandatory label.
fn guard() -> Vec<u8> {
    let mut bytes = GUARD.to_vec();
    bytes.extend([2, 0, 0x1c, 0, 1, 0, 0, 0]);
    bytes.extend([0x11, 0, 0x14, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 16, 0, 0x30, 0, 0]);
    bytes
}

#[test]
fn a_caller_is_checked_against_a_descriptor() {
    /// Answers with the status of an access check, for the access that the control code's number
    /// says.
    unsafe extern "efiapi" fn control(_: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
        // SAFETY: a dispatch routine owns its IRP.
        let parameters = unsafe { (*crate::driver::location(irp)).Parameters };
        // SAFETY: of a device control.
        let desired = unsafe { parameters.DeviceIoControl.IoControlCode } >> 2 & 0xfff;
        // SAFETY: zeros are a value of this type.
        let mut subject: SECURITY_SUBJECT_CONTEXT = unsafe { std::mem::zeroed() };
        let mut mapping = GENERIC_MAPPING {
            GenericRead: nt_sys::io::FILE_GENERIC_READ,
            GenericWrite: nt_sys::io::FILE_GENERIC_WRITE,
            GenericExecute: nt_sys::io::FILE_GENERIC_EXECUTE,
            GenericAll: nt_sys::io::FILE_ALL_ACCESS,
        };
        let (mut granted, mut status) = (0, STATUS_SUCCESS);
        let mut descriptor = guard();
        // SAFETY: locals.
        unsafe { SeCaptureSubjectContext(&raw mut subject) };
        // SAFETY: locals.
        let is_granted = unsafe {
            SeAccessCheck(
                descriptor.as_mut_ptr().cast(),
                &raw mut subject,
                0,
                desired,
                0,
                ptr::null_mut(),
                &raw mut mapping,
                UserMode,
                &raw mut granted,
                &raw mut status,
            )
        };
        // SAFETY: it was captured.
        unsafe { SeReleaseSubjectContext(&raw mut subject) };
        assert_eq!(is_granted != 0, status == STATUS_SUCCESS && granted == desired);
        complete(irp, status, 0)
    }
    let text = "O:SYD:P(A;;FA;;;SY)(A;;FA;;;BA)(D;;FW;;;WD)(A;;FR;;;WD)S:(ML;;NW;;;HI)";
    assert_eq!(se::sddl::is_same(&guard(), text), Ok(true));
    assert_eq!(se::sddl::is_same(&guard(), "D:P(A;;FA;;;SY)"), Ok(false));
    let _turn = turn();
    let Bench { machine, driver, adapter } = load();
    // SAFETY: the driver is loaded, and gets no request meanwhile.
    unsafe { (*driver.object()).MajorFunction[usize::from(IRP_MJ_DEVICE_CONTROL)] = Some(control) };
    let path = paths().remove(0);
    for (token, access, status) in [
        (Token::system(), FILE_READ_DATA | FILE_WRITE_DATA, STATUS_SUCCESS),
        (Token::administrator(), FILE_WRITE_DATA, STATUS_SUCCESS),
        (Token::user(), FILE_READ_DATA, STATUS_SUCCESS),
        (Token::user(), FILE_WRITE_DATA, STATUS_ACCESS_DENIED),
        (Token::user(), 4, STATUS_ACCESS_DENIED),
    ] {
        let file = machine.open_by(&path, BOTH, &token).expect("everybody may open it");
        let (answered, _) = file.ioctl(0x22_0000 | access << 2, &[], &mut []);
        assert_eq!(answered, status, "{token:?} {access}");
    }
    adapter.remove(false);
    driver.unload();
}

/// Runs a fault in a child process, which must stop with this rule.
fn stops(test: &str, rule: &str, breaking: fn()) {
    let (code, errors) = child::run(&format!("devnode::{test}"), None, breaking);
    assert_eq!(code, Some(nt_host::violation::EXIT_CODE), "{errors}");
    assert!(errors.contains(&format!("STOP {rule}: ")), "{errors}");
}

#[test]
fn an_interface_is_disabled_once() {
    stops("an_interface_is_disabled_once", "BAD ARGUMENT", || {
        let bench = load();
        let (_, mut name) = register(devices().0, "Name");
        set_state(&mut name, true);
        set_state(&mut name, false);
        set_state(&mut name, false);
        drop(bench.adapter);
    });
}

#[test]
fn the_name_of_an_interface_is_freed() {
    stops("the_name_of_an_interface_is_freed", "POOL LEAK", || {
        let bench = load();
        register(devices().0, "Name");
        bench.adapter.remove(false);
        bench.driver.unload();
    });
}

#[test]
fn files_of_ndis_are_ndis_s() {
    stops("files_of_ndis_are_ndis_s", "NOT NDIS FILE", || {
        let bench = load();
        let file = bench.machine.open(&paths()[0], BOTH).expect("it opens");
        // SAFETY: what is broken is what the host has to find.
        unsafe { (*file.file_object()).FsContext = ptr::null_mut() };
        drop(file);
    });
}
