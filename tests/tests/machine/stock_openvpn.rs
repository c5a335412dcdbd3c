//! Adapters as OpenVPN 2.6, 2.7 and 3 find and use them: the device whose driver key has the
//! component ID and a NetCfgInstanceId, its interface of network adapters that ends in
//! `\ovpn-dco`, opened by somebody who is no administrator.

use std::time::Duration;

use nt_host::ndis::{DeviceBuffers, Tuning};
use nt_host::{DevnodeOptions, Handle, Token, setup};
use nt_sys::io::{GENERIC_READ, GENERIC_WRITE, GUID_DEVINTERFACE_NET};
use tunic_ioctl::status::{
    STATUS_ACCESS_DENIED, STATUS_CANCELLED, STATUS_DEVICE_REMOVED, STATUS_INVALID_DEVICE_REQUEST,
    STATUS_OBJECT_NAME_NOT_FOUND,
};
use tunic_ioctl::{AdapterId, native};
use tunic_tests::machine::dco::{Dco, DcoKey, ended};
use tunic_tests::machine::{self, End, Loaded, Setup, alone, boot, guid};

const TIME: Duration = Duration::from_secs(120);
const BOTH: u32 = GENERIC_READ | GENERIC_WRITE;
const CLIENT: i32 = 7;
const KEY: DcoKey =
    DcoKey { seed: 0x30, cipher: 1, key_bytes: 32, key_id: 0, slot: 0, is_epoch: false };

/// A client of ovpn-dco-win, by the component IDs that it knows.
#[derive(Clone, Copy)]
struct Program {
    component_ids: &'static [&'static str],
}

/// OpenVPN 2.6 and 2.7.
const OPENVPN_2: Program = Program { component_ids: &["ovpn-dco"] };
/// OpenVPN 3.
const OPENVPN_3: Program = Program { component_ids: &["ovpn-dco", r"root\ovpn-dco"] };

/// Makes an adapter as `tapctl create --hwid ovpn-dco` does: a device of the root enumerator.
fn create(loaded: &Loaded, number: u8, buffers: DeviceBuffers) -> End {
    let device = DevnodeOptions {
        enumerator: r"ROOT\NET".to_owned(),
        // That of the INF.
        sddl: "D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GXGWGR;;;WD)(A;;GXGR;;;RC)".to_owned(),
        ..DevnodeOptions::software("ovpn-dco", &format!("{number:04}"))
    };
    let setup = Setup {
        protocol: Some("openvpn"),
        keywords: &[("TunicOvpnDco", "1")],
        tuning: Tuning { guard: true, device_buffers: buffers, ..Tuning::default() },
        device: Some(device),
        ..Setup::new(number)
    };
    End::create(loaded, &setup)
}

impl Program {
    /// The paths of the adapters that it finds, in their order.
    fn paths(self) -> Vec<(String, String)> {
        let mut paths = Vec::new();
        for device in setup::devices(None) {
            let component_id = device.value("ComponentId").unwrap_or_default();
            let id = device.value("NetCfgInstanceId").unwrap_or_default();
            if self.component_ids.iter().any(|known| known.eq_ignore_ascii_case(component_id)) {
                let interfaces = setup::interfaces(&GUID_DEVINTERFACE_NET, &device.instance_id);
                let path = interfaces.into_iter().find(|path| path.ends_with(r"\ovpn-dco"));
                paths.extend(path.map(|path| (id.to_owned(), path)));
            }
        }
        paths
    }

    /// Opens the first adapter that nobody has, as somebody who is no administrator.
    fn open(self, loaded: &Loaded) -> Option<(String, Dco)> {
        self.paths().into_iter().find_map(|(id, path)| {
            match loaded.machine().open_as(&path, BOTH, false).map_err(i32::cast_unsigned) {
                Ok(handle) => Some((id, Dco(handle))),
                Err(STATUS_ACCESS_DENIED) => None,
                Err(status) => panic!("{status:#x}"),
            }
        })
    }
}

fn refusal(opened: Result<Handle, i32>) -> Option<u32> {
    opened.err().map(i32::cast_unsigned)
}

/// Lets two files carry packets through their adapters: the first as client, the second as server
/// of several peers.
fn connect(client: &Dco, server: &Dco, first: &End, second: &End) {
    assert_eq!(server.set(10, &1_u32.to_le_bytes()), 0, "SET_MODE");
    let at = server.listen("127.0.0.1:0".parse().unwrap());
    assert_eq!(client.new_peer(at), 0);
    assert_eq!(client.write(None, b"\x38hello"), (0, 6));
    let (from, datagram) = server.mp_read();
    assert_eq!(datagram, b"\x38hello");
    assert_eq!(server.write(Some(from), b"\x40hello"), (0, 6 + 16));
    assert_eq!(client.read(), b"\x40hello");
    assert_eq!(server.mp_new_peer(CLIENT, from, first.v4, first.v6), 0);
    assert_eq!(client.new_key(CLIENT, &KEY, true), 0);
    assert_eq!(server.new_key(CLIENT, &KEY, false), 0);
    assert_eq!(client.set(6, &[]), 0, "START_VPN");
    assert!(first.edge.wait_for_link(true, machine::TIMEOUT));
    first.carry(second);
    second.carry(first);
}

#[test]
fn openvpn_owns_what_it_finds() {
    alone("openvpn_owns_what_it_finds", TIME, || {
        for (program, buffers) in
            [(OPENVPN_2, DeviceBuffers::Direct), (OPENVPN_3, DeviceBuffers::Buffered)]
        {
            let loaded = Loaded::load(boot()).expect("it loads");
            let [first, second] = [1, 2].map(|number| create(&loaded, number, buffers));
            let version = [2_i32, 8, 0].map(i32::to_le_bytes).concat();
            let device = loaded.machine().open_as(r"\\.\ovpn-dco-ver", GENERIC_READ, false);
            let device = Dco(device.expect("everybody may ask for the version"));
            assert_eq!(device.call(8, &[], 12), (0, version));
            let (id, client) = program.open(&loaded).expect("one is free");
            assert_eq!(id, guid(1));
            let (id, server) = program.open(&loaded).expect("another is free");
            assert_eq!(id, guid(2));
            assert!(program.open(&loaded).is_none(), "none is left");
            connect(&client, &server, &first, &second);
            // Only its owner has it.
            let path = program.paths().remove(0).1;
            assert_eq!(refusal(loaded.machine().open(&path, BOTH)), Some(STATUS_ACCESS_DENIED));
            assert_eq!(refusal(loaded.open("end1")), Some(STATUS_ACCESS_DENIED));
            let named = loaded.machine().open_as(r"\\.\ovpn-dco", BOTH, false);
            assert_eq!(refusal(named), Some(STATUS_ACCESS_DENIED));
            // By the file, ovpn-dco-win's requests alone.
            let list = native::encode_select(AdapterId([0; 16]));
            for code in [native::IOCTL_LIST_ADAPTERS, native::IOCTL_SET_STATE, 0xb098_c506, 0] {
                let (status, _) = client.0.ioctl(code, &list, &mut [0; 256]);
                assert_eq!(status.cast_unsigned(), STATUS_INVALID_DEVICE_REQUEST, "{code:#x}");
            }
            // NDIS's own interface has none of them.
            let ndis = path.trim_end_matches(r"\ovpn-dco");
            let ndis = Dco(loaded.machine().open_as(ndis, BOTH, false).expect("NDIS opens it"));
            for number in 1..20 {
                let (status, _) = ndis.call(number, &[0; 128], 256);
                assert_eq!(status, STATUS_INVALID_DEVICE_REQUEST, "{number}");
            }
            assert_eq!(ended(&ndis.start_read()).0, STATUS_INVALID_DEVICE_REQUEST);
            first.carry(&second);
            drop((ndis, device, server));
            assert!(second.edge.wait_for_link(false, machine::TIMEOUT), "it ends with its file");
            // The next program has the adapter as new.
            let (id, again) = program.open(&loaded).expect("it is free again");
            assert_eq!(id, guid(2));
            drop((client, again));
            first.remove(false);
            second.remove(false);
            loaded.unload();
        }
    });
}

#[test]
fn rights_on_the_interface_are_those_of_ovpn_dco_win() {
    alone("rights_on_the_interface_are_those_of_ovpn_dco_win", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        let end = create(&loaded, 1, DeviceBuffers::Direct);
        let path = OPENVPN_2.paths().remove(0).1;
        // DELETE, WRITE_DAC, WRITE_OWNER.
        for access in [0x1_0000, 0x4_0000, 0x8_0000] {
            let refused = loaded.machine().open_as(&path, BOTH | access, false);
            assert_eq!(refusal(refused), Some(STATUS_ACCESS_DENIED), "{access:#x}");
            let opened = loaded.machine().open_as(&path, BOTH | access, true);
            drop(opened.expect("administrators have all rights"));
        }
        for token in [Token::user(), Token::administrator(), Token::system()] {
            drop(loaded.machine().open_by(&path, BOTH, &token).expect("it opens"));
            let shouted = path.replace("ovpn-dco", "OVPN-DCO");
            drop(loaded.machine().open_by(&shouted, BOTH, &token).expect("in any case"));
        }
        for name in ["ovpn-dc", "ovpn-dcoo", r"ovpn-dco\", r"ovpn-dco\1", "tunic"] {
            let path = path.replace(r"}\ovpn-dco", &format!(r"}}\{name}"));
            let refused = refusal(loaded.machine().open(&path, BOTH));
            assert_eq!(refused, Some(STATUS_OBJECT_NAME_NOT_FOUND), "{path}");
        }
        end.remove(false);
        loaded.unload();
    });
}

#[test]
fn an_adapter_goes_with_its_file_open() {
    alone("an_adapter_goes_with_its_file_open", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        let [first, second] = [1, 2].map(|number| create(&loaded, number, DeviceBuffers::Direct));
        let [client, server] = [(); 2].map(|()| OPENVPN_2.open(&loaded).expect("one is free").1);
        connect(&client, &server, &first, &second);
        let path = OPENVPN_2.paths().remove(0).1;
        // Somebody asks for its removal: what waits ends, and the owner keeps it.
        let (reading, event) = (client.start_read(), client.start_notify());
        first.adapter.ask_removal(|| {
            for pending in [&reading, &event] {
                assert_eq!(ended(pending).0, STATUS_CANCELLED);
            }
            assert_eq!(refusal(loaded.machine().open(&path, BOTH)), Some(STATUS_DEVICE_REMOVED));
            assert_eq!(client.set(6, &[]), STATUS_DEVICE_REMOVED);
            assert_eq!(ended(&client.start_read()).0, STATUS_DEVICE_REMOVED);
        });
        first.carry(&second);
        let vetoed = {
            let End { control, file, adapter, .. } = first;
            drop((control, file));
            adapter.try_remove().expect_err("the owner has it open")
        };
        // The device goes all the same.
        let reading = client.start_read();
        vetoed.adapter.remove(true);
        assert_eq!(ended(&reading).0, STATUS_CANCELLED);
        assert_eq!(client.set(6, &[]), STATUS_DEVICE_REMOVED);
        assert_eq!(client.write(None, b"\x38hello").0, STATUS_DEVICE_REMOVED);
        assert_eq!(ended(&client.start_read()).0, STATUS_DEVICE_REMOVED);
        assert_eq!(OPENVPN_2.paths().len(), 1);
        // A new adapter with the same GUID is not the old file's.
        let again = create(&loaded, 1, DeviceBuffers::Direct);
        assert_eq!(client.set(6, &[]), STATUS_DEVICE_REMOVED);
        let (id, next) = OPENVPN_2.open(&loaded).expect("the new adapter is free");
        assert_eq!(id, guid(1));
        drop((client, next, server));
        again.remove(false);
        second.remove(true);
        loaded.unload();
    });
}

#[test]
fn reads_that_bring_no_kernel_buffer_are_not_offered() {
    alone("reads_that_bring_no_kernel_buffer_are_not_offered", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        let end = create(&loaded, 1, DeviceBuffers::Neither);
        let interfaces = setup::interfaces(&GUID_DEVINTERFACE_NET, &end.adapter.instance_id());
        assert_eq!(interfaces.len(), 1, "{interfaces:?}");
        assert!(OPENVPN_2.open(&loaded).is_none());
        // By the name without a device interface it is there.
        drop(loaded.machine().open_as(r"\\.\ovpn-dco", BOTH, false).expect("it opens"));
        end.remove(false);
        loaded.unload();
    });
}
