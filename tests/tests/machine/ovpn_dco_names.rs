//! An adapter under ovpn-dco-win's own names: `\\.\ovpn-dco`, which is somebody's from its opening
//! on, and `\\.\ovpn-dco-ver`.

use std::time::Duration;

use nt_host::edge::capture::Capture;
use nt_host::handle::Handle;
use nt_host::io::device;
use nt_sys::io::{GENERIC_READ, GENERIC_WRITE, IRP_MJ_COUNT};
use tunic_ioctl::status::{
    STATUS_ACCESS_DENIED, STATUS_CANCELLED, STATUS_INSUFFICIENT_RESOURCES,
    STATUS_INVALID_DEVICE_REQUEST, STATUS_NOT_FOUND, STATUS_OBJECT_NAME_COLLISION,
    STATUS_OBJECT_NAME_NOT_FOUND,
};
use tunic_ioctl::{AdapterId, native};
use tunic_tests::machine::dco::{Dco, DcoKey, ended};
use tunic_tests::machine::{
    self, Channel, End, Loaded, Setup, add_as, alone, boot, every_allocation, peer_at,
};

const TIME: Duration = Duration::from_secs(120);
const NAME: &str = r"\\.\ovpn-dco";
const VERSION: &str = r"\\.\ovpn-dco-ver";
const BOTH: u32 = GENERIC_READ | GENERIC_WRITE;
const CLIENT: i32 = 7;
const KEY: DcoKey =
    DcoKey { seed: 0x30, cipher: 1, key_bytes: 32, key_id: 0, slot: 0, is_epoch: false };

/// An adapter that has the names.
fn named(number: u8) -> Setup {
    let keywords = &[("TunicOvpnDco", "1")];
    Setup { protocol: Some("openvpn"), keywords, ..Setup::new(number) }
}

/// Opens a name as somebody who is no administrator.
fn open_for(loaded: &Loaded, name: &str, access: u32) -> Result<Handle, u32> {
    loaded.machine().open_as(name, access, false).map_err(i32::cast_unsigned)
}

fn open(loaded: &Loaded, name: &str) -> Result<Dco, u32> {
    open_for(loaded, name, BOTH).map(Dco)
}

/// With what an opening is refused.
fn refusal(loaded: &Loaded, name: &str) -> Option<u32> {
    open(loaded, name).err()
}

#[test]
fn an_adapter_is_its_opener_s_alone() {
    alone("an_adapter_is_its_opener_s_alone", TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let plain = End::speaking(&loaded, 3, "openvpn");
        for name in [NAME, VERSION] {
            assert_eq!(refusal(&loaded, name), Some(STATUS_OBJECT_NAME_NOT_FOUND), "{name}");
        }
        let end = End::create(&loaded, &named(1));
        let dco = open(&loaded, NAME).expect("it is there");
        // Nobody else gets in, though nothing was asked for yet.
        for name in [NAME, r"\\.\ovpn-dco\end1"] {
            assert_eq!(refusal(&loaded, name), Some(STATUS_ACCESS_DENIED), "{name}");
        }
        let other = loaded.open("end1").map(drop).map_err(i32::cast_unsigned);
        assert_eq!(other, Err(STATUS_ACCESS_DENIED));
        assert_eq!(
            Dco(end.file.clone()).new_peer(([127, 0, 0, 1], 9).into()),
            STATUS_ACCESS_DENIED
        );
        // Of other ABIs, nothing: their requests may name any adapter.
        let list = native::encode_select(AdapterId([0; 16]));
        let (status, _) = dco.0.ioctl(native::IOCTL_LIST_ADAPTERS, &list, &mut [0; 4096]);
        assert_eq!(status.cast_unsigned(), STATUS_INVALID_DEVICE_REQUEST);
        // Its closing ends what it has set up, and what waits.
        let reading = dco.start_read();
        assert_eq!(dco.new_peer(([127, 0, 0, 1], 9).into()), 0);
        assert_eq!(dco.new_key(CLIENT, &KEY, true), 0);
        assert_eq!(dco.set(6, &[]), 0);
        assert!(end.edge.wait_for_link(true, machine::TIMEOUT), "START_VPN connects");
        drop(dco);
        assert_eq!(ended(&reading).0, STATUS_CANCELLED);
        assert!(end.edge.wait_for_link(false, machine::TIMEOUT), "the link goes with the file");
        assert!(Channel(&end).query().1.is_empty(), "the peer is gone, and its keys");
        // What somebody has set up by the native ABI is not for others, either.
        let native = Channel(&end);
        native.new_peer(&peer_at(([127, 0, 0, 1], 9).into())).expect("a peer");
        assert_eq!(refusal(&loaded, NAME), Some(STATUS_ACCESS_DENIED));
        native.stop().expect("it stops");
        drop(open(&loaded, NAME).expect("it is free again"));
        for name in [r"\\.\ovpn-dco\end3", r"\\.\ovpn-dco\nobody", r"\\.\ovpn-dco-ver\end1"] {
            assert!(
                open_for(&loaded, name, GENERIC_READ).err() == Some(STATUS_OBJECT_NAME_NOT_FOUND),
                "{name}"
            );
        }
        plain.remove(false);
        end.remove(false);
        loaded.unload();
    });
}

#[test]
fn the_version_is_for_anybody() {
    alone("the_version_is_for_anybody", TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let end = End::create(&loaded, &named(1));
        let owner = open(&loaded, NAME).expect("it is there");
        let version = [2_i32, 8, 0].map(i32::to_le_bytes).concat();
        let several = [(); 3].map(|()| open_for(&loaded, VERSION, GENERIC_READ).map(Dco));
        for dco in several.into_iter().chain([Ok(owner)]) {
            assert_eq!(dco.expect("it opens").call(8, &[], 12), (0, version.clone()));
        }
        let device = open_for(&loaded, VERSION, GENERIC_READ).map(Dco).expect("it opens");
        for number in (1..30).filter(|&number| number != 8) {
            assert_eq!(device.call(number, &[0; 128], 64).0, STATUS_INVALID_DEVICE_REQUEST);
        }
        assert_eq!(ended(&device.start_read()).0, STATUS_INVALID_DEVICE_REQUEST);
        assert_eq!(open_for(&loaded, VERSION, BOTH).err(), Some(STATUS_ACCESS_DENIED));
        drop(device);
        end.remove(false);
        loaded.unload();
    });
}

#[test]
fn the_name_passes_to_the_next_adapter() {
    alone("the_name_passes_to_the_next_adapter", TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let [first, second] = [1, 2].map(|number| End::create(&loaded, &named(number)));
        // Two tunnel ends: the first by the name, the second behind it.
        let server = open(&loaded, r"\\.\ovpn-dco\end2").expect("it is there");
        assert_eq!(server.set(10, &1_u32.to_le_bytes()), 0);
        let at = server.listen("127.0.0.1:0".parse().unwrap());
        let client = open(&loaded, NAME).expect("it is there");
        assert_eq!(client.new_peer(at), 0);
        assert_eq!(client.write(None, b"\x38hello"), (0, 6));
        let (from, _) = server.mp_read();
        assert_eq!(server.mp_new_peer(CLIENT, from, first.v4, first.v6), 0);
        assert_eq!(client.new_key(CLIENT, &KEY, true), 0);
        assert_eq!(server.new_key(CLIENT, &KEY, false), 0);
        assert_eq!(client.set(6, &[]), 0);
        assert!(first.edge.wait_for_link(true, machine::TIMEOUT), "it was the first adapter");
        first.carry(&second);
        drop(server);
        // Busy is busy: the second is free, and nevertheless not given out for the first.
        assert_eq!(refusal(&loaded, NAME), Some(STATUS_ACCESS_DENIED));
        first.remove(true);
        assert_eq!(client.set(6, &[]), STATUS_NOT_FOUND, "its adapter is gone");
        let next = open(&loaded, NAME).expect("the second has the name");
        assert_eq!(next.set(10, &1_u32.to_le_bytes()), 0);
        assert!(second.edge.wait_for_link(true, machine::TIMEOUT), "SET_MODE connects");
        drop((client, next));
        second.remove(false);
        assert_eq!(refusal(&loaded, NAME), Some(STATUS_OBJECT_NAME_NOT_FOUND));
        loaded.unload();
    });
}

#[test]
fn names_of_another_driver_are_left_to_it() {
    alone("names_of_another_driver_are_left_to_it", TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let link = Some(r"\DosDevices\ovpn-dco-ver");
        let theirs = device::create(r"\Device\genuine", link, &[None; IRP_MJ_COUNT], 0);
        let added = add_as(&loaded, &named(1), &Capture::new()).map(|_| ());
        assert_eq!(added.map_err(i32::cast_unsigned), Err(STATUS_OBJECT_NAME_COLLISION));
        device::delete(theirs.expect("a device"));
        let end = End::create(&loaded, &named(1));
        drop(open(&loaded, NAME).expect("it is there"));
        end.remove(false);
        loaded.unload();
    });
}

#[test]
fn memory_runs_out_while_names_are_made_and_opened() {
    alone("memory_runs_out_while_names_are_made_and_opened", TIME, || {
        let machine = boot();
        let judge = |failing: u64, status: i32| {
            assert_eq!(status.cast_unsigned(), STATUS_INSUFFICIENT_RESOURCES, "{failing}");
        };
        every_allocation(
            "add",
            || {
                let loaded = Loaded::load(machine)?;
                let added = add_as(&loaded, &named(1), &Capture::new());
                let removed = added.map(|adapter| adapter.remove(false));
                loaded.unload();
                removed
            },
            |failing, outcome| outcome.unwrap_or_else(|status| judge(failing, status)),
        );
        let loaded = Loaded::load(machine).expect("the driver loads");
        let end = End::create(&loaded, &named(1));
        every_allocation(
            "open",
            || machine.open(NAME, BOTH).map(drop),
            |failing, outcome| {
                outcome.unwrap_or_else(|status| judge(failing, status));
                drop(open(&loaded, NAME).expect("nobody has it"));
            },
        );
        end.remove(false);
        loaded.unload();
    });
}
