//! Packets of real servers and to them (OpenVPN 2.6.14 and 2.7.6): both directions of each format
//! and suite, through a whole adapter.

use crate::channel::Channel;
use crate::hex::hex;
use nic_crypto::Suite;
use nic_openvpn::{DirectionKey, Key, Material, Slot};

/// What is sealed in all of them.
const PLAINTEXT: &str =
    "4500002c000140004001260a0a6200020a6200010800bea01234000168656c6c6f2d66726f6d2d6f766d696e";

struct Vector {
    suite: Suite,
    peer_id: u32,
    secrets: Secrets,
    /// [`PLAINTEXT`] as the client's second packet.
    sealed: &'static str,
    /// The server's first packet.
    received: &'static str,
    opened: &'static str,
}

/// From client to server, and back.
enum Secrets {
    /// A key with its nonce tail.
    Classic([(&'static str, &'static str); 2]),
    /// The first epoch's secrets.
    Epoch([&'static str; 2]),
}

#[test]
fn classic_aes_256_gcm() {
    check(&Vector {
        suite: Suite::Aes256Gcm,
        peer_id: 0,
        secrets: Secrets::Classic([
            (
                "92529d55d4de02f763670917773ad39390b87bd0becf4496ff77fa48149e32f5",
                "2d2219a010e60cb7",
            ),
            (
                "c96d0d2f220191cd929760c8c8bee9dbec443574321749d00aae0a26b8c76ce3",
                "c1caf267f409958e",
            ),
        ]),
        sealed: "48000000000000023aeceedb3e8aa9a23bb614ea431ccc92558abbe0538977c5425893110234ff6fe42f28f824623834913e006a5be22dd14ae00972cd0342cb42ad7109",
        received: "4800000000000001eaa089a76998f4c4e5a5dc5ef143b229a2e4375510558e3bfa888ea23be46a813733a8f8335fbd5fc66889bb26873b15d4da3b5855d494028e22dc07",
        opened: "4500002c45090000400121020a6200010a6200020000c6a01234000168656c6c6f2d66726f6d2d6f766d696e",
    });
}

#[test]
fn classic_chacha20_poly1305() {
    check(&Vector {
        suite: Suite::ChaCha20Poly1305,
        peer_id: 1,
        secrets: Secrets::Classic([
            (
                "56055bbf52eeb85beb8db7b7b0f280b6ce0bed801f03bdb7a83f9da6621ef30d",
                "fc6ef0a1526899a9",
            ),
            (
                "cce5ba98538b348b507aedc01d932743aff1e9509b14c46b00a83136e394aa64",
                "1adbade5028ec246",
            ),
        ]),
        sealed: "4800000100000002e89ccde2b9368d55c6d71dc85f16ca97e881c2bef64be2b7f6fd60f6dd38d5eb78f485f041a1add7e0897a6c02fbcbf5ad8ee6792e3eb9b3f465f398",
        received: "4800000100000001a68bdcd05387a64b0ee97405c59b106dfc9b67db7808b5717376c5cb58f1f1db776b26de2d1d3d83af13789fff794f47df462cd9da1d1ba8c542cfc7",
        opened: "4500002c45b20000400120590a6200010a6200020000c6a01234000168656c6c6f2d66726f6d2d6f766d696e",
    });
}

#[test]
fn epochs_of_aes_256_gcm() {
    check(&Vector {
        suite: Suite::Aes256Gcm,
        peer_id: 0,
        secrets: Secrets::Epoch([
            "4724b18cdee857eb42bc32feba2bb4996d3aa8e6f162cb10407d198491c0aaf4",
            "6a2c2aaa97d7c40eec43eda367e9f31d6eca1d70ee7e7b168eceb1df03dd2d2d",
        ]),
        sealed: "480000000001000000000002ba082e00d8ac2195df7422c5c17dda39e100f17dc0ee51f69cda9487d1ffc3a97e2a120b29bb20740c75fc938251e7cecbc1a239e893e4c16d54eedc",
        received: "480000000001000000000001f86f8f2420a73a803d766d996415b3f087de5d947c1c14f14dcd607249d2746c623c74f42199f456955ba9a8aea572573ffb4ebb27349409fdc22d83",
        opened: "4500002c47e1000040011e2a0a6200010a6200020000c6a01234000168656c6c6f2d66726f6d2d6f766d696e",
    });
}

#[test]
fn epochs_of_chacha20_poly1305() {
    check(&Vector {
        suite: Suite::ChaCha20Poly1305,
        peer_id: 1,
        secrets: Secrets::Epoch([
            "175a811e098e8fae4bdf6f94364330dcc5afc40fce954bc7a47ac35029c6f224",
            "24ac0edcf41851116180e1a3be060babeb9e2b0ad1ca3254ce774f4b306c18e6",
        ]),
        sealed: "4800000100010000000000028a1f35919898deffd16fe80e1b2bdd845b53c66fc867f018ac80fe3a2762841331b5697352f166c47f8bd9af203f1b23913c090150817d866e2d3e40",
        received: "480000010001000000000001ff774fc3bdde1b2d109fda66b2acae7eb8058621f135db88128ee4ea61b0b86be581091932abe00195b053b9b929d060615e42252a2cb2bfffc26d0e",
        opened: "4500002c4847000040011dc40a6200010a6200020000c6a01234000168656c6c6f2d66726f6d2d6f766d696e",
    });
}

fn check(vector: &Vector) {
    let (mut client, peer) = Channel::with_peer();
    client.install(peer, Slot::Primary, &key(vector, [0, 1]));
    client.send(&hex(PLAINTEXT));
    assert_eq!(client.send(&hex(PLAINTEXT)), [hex(vector.sealed)]);
    assert_eq!(client.receive(&hex(vector.received)), [hex(vector.opened)]);
    assert!(client.receive(&hex(vector.received)).is_empty(), "it is a replay");

    // And the other way round: a server opens what the client seals, and seals what the server
    // sealed.
    let (mut server, peer) = Channel::with_peer();
    server.install(peer, Slot::Primary, &key(vector, [1, 0]));
    assert_eq!(server.receive(&hex(vector.sealed)), [hex(PLAINTEXT)]);
    assert_eq!(server.send(&hex(vector.opened)), [hex(vector.received)]);
}

/// Calls `f` with the key whose directions are these.
fn key(vector: &Vector, directions: [usize; 2]) -> Key<'static> {
    let leak = |digits: &str| -> &'static [u8] { hex(digits).leak() };
    let material = match vector.secrets {
        Secrets::Classic(keys) => {
            let [seal, open] = directions.map(|direction| {
                let (key, tail) = keys[direction];
                DirectionKey { key: leak(key), nonce_tail: leak(tail).try_into().unwrap() }
            });
            Material::Classic { seal, open }
        }
        Secrets::Epoch(secrets) => {
            let [seal, open] =
                directions.map(|direction| leak(secrets[direction]).try_into().unwrap());
            Material::Epoch { seal, open }
        }
    };
    Key {
        key_id: 0,
        suite: vector.suite,
        material,
        transmit_id: Some(vector.peer_id),
        packet_limit: None,
    }
}
