//! Wrappings against datagrams of stock OpenVPN 2.6.3, recorded on loopback, and keys that it made.

use tunic_openvpn::Role::{Client, Server};
use tunic_openvpn::wrap::{
    ClientKey, Digest, Direction, Metadata, ServerKey, StaticKey, TlsAuth, TlsCrypt, Wrap,
    WrapError,
};

const HARD_RESET_V3: u8 = 10 << 3;

fn static_key() -> StaticKey {
    include_str!("wrap/static.key").parse().unwrap()
}

fn client_key() -> ClientKey {
    include_str!("wrap/tls-crypt-v2-client.key").parse().unwrap()
}

fn server_key() -> ServerKey {
    include_str!("wrap/tls-crypt-v2-server.key").parse().unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    let mut bytes = vec![0; hex.len() / 2];
    tunic::hex::decode(hex.chars(), &mut bytes).unwrap();
    bytes
}

/// A session's first two packets: what the client sent at `time`, and what the server answered.
struct Recorded {
    time: u32,
    request: &'static str,
    reset: &'static str,
    answer: &'static str,
    reply: &'static str,
}

/// What one end opens, the other end makes, byte for byte.
fn check(mut client: impl Wrap, mut server: impl Wrap, recorded: &Recorded) {
    let (request, answer) = (bytes(recorded.request), bytes(recorded.answer));
    let reset = server.unwrap(&request).unwrap();
    assert_eq!(reset, bytes(recorded.reset));
    assert_eq!(client.wrap(&reset, recorded.time), request);
    assert_eq!(request.len(), reset.len() + client.overhead_bytes());
    let reply = client.unwrap(&answer).unwrap();
    assert_eq!(reply, bytes(recorded.reply));
    assert_eq!(server.wrap(&reply, recorded.time), answer);
    assert_eq!(server.unwrap(&request), Err(WrapError::Replayed));
    refuses_what_was_changed(&mut client, &answer);
}

fn refuses_what_was_changed(wrap: &mut impl Wrap, datagram: &[u8]) {
    for bit in 0..datagram.len() * 8 {
        let mut changed = datagram.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(wrap.unwrap(&changed), Err(WrapError::Forged), "bit {bit}");
    }
    for length in 0..datagram.len() {
        assert!(wrap.unwrap(&datagram[..length]).is_err(), "length {length}");
    }
}

#[test]
fn tls_auth_with_a_direction_is_stock_openvpns() {
    let wrap = |digest, direction| TlsAuth::new(&static_key(), digest, Some(direction));
    let recorded = Recorded {
        time: 0x6b01_9392,
        request: "380f4ac7bce2950080a71060e8f3d443e1fe164a2e0933bb8a6a854f89000000016b019392000000\
            0000",
        reset: "380f4ac7bce29500800000000000",
        answer: "40888e9a12147f2669cc50d3bbd43519701c71406f1f2fae7216b1ac7f000000016b0193920100000\
            0000f4ac7bce295008000000000",
        reply: "40888e9a12147f266901000000000f4ac7bce295008000000000",
    };
    let sha1 = |direction| wrap(Digest::Sha1, direction);
    check(sha1(Direction::Inverse), sha1(Direction::Normal), &recorded);
    let recorded = Recorded {
        time: 0x6b01_9394,
        request: "3833ffc212a959ab5577e0c91a06fbd7f4bfc75902e588a14d21597db50f92380debdec0c6f99c91\
            a8000000016b0193940000000000",
        reset: "3833ffc212a959ab550000000000",
        answer: "40f74ab4be607a6c9636ed2e5647e99322d809eaedc86d585a8b54d386cf6d7b94eca98138cd41e73\
            e000000016b019394010000000033ffc212a959ab5500000000",
        reply: "40f74ab4be607a6c96010000000033ffc212a959ab5500000000",
    };
    let sha256 = |direction| wrap(Digest::Sha256, direction);
    check(sha256(Direction::Inverse), sha256(Direction::Normal), &recorded);
}

#[test]
fn tls_auth_without_a_direction_is_stock_openvpns() {
    let wrap = || TlsAuth::new(&static_key(), Digest::Sha512, None);
    let recorded = Recorded {
        time: 0x6b01_9393,
        request: "3894978679a8dfb10631f6d41c3bc0e3d61d93400ae21b0bd692c8be3765b2f342a6d3b6801886f7\
            4c598ec48176444a53ba4739a3455f8b9a0dc9b3b720afa71df647fcaa4a4ea0ec000000016b0193930000\
            000000",
        reset: "3894978679a8dfb1060000000000",
        answer: "40d7391f82dabff2691779ff3002455a83a7a4833372eb4935205bb422710e04e09747803d51480c6\
            fa37df750277d2a14cf2db52df755cc4871bd61b5c28bb7c98033e34f8bb94ed4000000016b01939301000\
            0000094978679a8dfb10600000000",
        reply: "40d7391f82dabff269010000000094978679a8dfb10600000000",
    };
    check(wrap(), wrap(), &recorded);
}

#[test]
fn tls_crypt_is_stock_openvpns() {
    let wrap = |role| TlsCrypt::new(&static_key(), role);
    let recorded = Recorded {
        time: 0x6b01_9394,
        request: "380c2e971bb3d436ed000000016b0193947daa00af39998475384bdac92e75c092647bc5c7213109\
            9bc813aa9a9932f3f68ae4c07558",
        reset: "380c2e971bb3d436ed0000000000",
        answer: "40ebf7bb4d14541b73000000016b01939435cc2785352c78563c7e38456c44ebb897c33cc41075723\
            443d3cdb48d0dcbe21f88d509c7dba5eaaac26c8c9e14ad737a",
        reply: "40ebf7bb4d14541b7301000000000c2e971bb3d436ed00000000",
    };
    check(wrap(Client), wrap(Server), &recorded);
}

#[test]
fn tls_crypt_v2_is_stock_openvpns() {
    let request = bytes(concat!(
        "5030a97254600c66ea0f0000016b019395bce473cb3fc9c781a3e1fe63e8fce7291df07e7c847ba7825b5aa6b\
         b5f31bd18f6a0f67937",
        "378ccf97bc9c83556f2f22fbef382dbcd7075ce2c99251675ec9e2a4a25bf9bbdd4788b234ff104f6c6545979\
         b29a0b1629362e2a18576dd",
        "3866f5f812bbd3995d41f5d8840aa79cd42c4f9ca560aafa1aae725cabafed9d7d6d2e69fefc2f4e95b557742\
         3ab4f09171c70c609a9c408",
        "bc3b4d9ed1692c273cd60c6f15514d8574d9a79ee7e6cce5b9a3fd3dc545d8b74f0efda046aa491faf1c27f9b\
         3141159c49028dff2f759cd",
        "6d5bf92a9277a0203619ad478b4ce0ad59cd5f2ea53753ad4bd3fb47ef21214fcde08194e1fbcf5213dfa6a6b\
         a05652866548dd74eb4cb2e",
        "a44f1a675e7261a72990b1160dea6fa3367e115cb9097a6eed6b349e56609c71421ed6908e2725f4b9eb7a44f\
         7a5b050d1a61e4d1914da79",
        "0ce0cd6c1c0e8fd8c2cd47192708eb04c7012b",
    ));
    let answer = "408e15252111b61d170f0000016b0193950122364d4ded0ed182d4d1b51f1498640ebac94b495f96\
        9bd71ab5c9ee7e540ea713d9eb183049b1a81e5404beb2e9ea08";

    let first = server_key().first_packet(&request).unwrap();
    assert_eq!(first.plain, bytes("5030a97254600c66ea0000000000"));
    assert!(first.can_resend_key);
    assert!(matches!(first.metadata, Metadata::Made(_)), "{:?}", first.metadata);

    let mut client = TlsCrypt::with_client_key(&client_key());
    assert_eq!(client.wrap(&first.plain, 0x6b01_9395), request);
    let reply = client.unwrap(&bytes(answer)).unwrap();
    assert_eq!(reply, bytes("408e15252111b61d17010000000030a97254600c66ea00000000"));
}

#[test]
fn the_server_trusts_no_wrapped_key_but_its_own() {
    let mut client = TlsCrypt::with_client_key(&client_key());
    let mut plain = [0; 14];
    plain[0] = HARD_RESET_V3;
    let datagram = client.wrap(&plain, 1);
    assert_eq!(datagram.len(), 14 + client.overhead_bytes() + client.wrapped_key_bytes());
    let server = server_key();
    for bit in 0..datagram.len() * 8 {
        let mut changed = datagram.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(server.first_packet(&changed).is_err(), "bit {bit}");
    }
    for length in 0..datagram.len() {
        assert!(server.first_packet(&datagram[..length]).is_err(), "length {length}");
    }
    plain[0] = 4 << 3;
    assert!(server.first_packet(&client.wrap(&plain, 1)).is_err());
}

#[test]
fn metadata_of_the_keys_maker_comes_with_the_key() {
    let key: ClientKey = include_str!("wrap/tls-crypt-v2-user.key").parse().unwrap();
    let datagram = TlsCrypt::with_client_key(&key).wrap(&[HARD_RESET_V3; 14], 1);
    let first = server_key().first_packet(&datagram).unwrap();
    assert_eq!(first.metadata, Metadata::User(b"hello".to_vec()));
}

#[test]
fn a_key_file_of_another_kind_is_refused() {
    let client = include_str!("wrap/tls-crypt-v2-client.key");
    assert!(client.parse::<ServerKey>().is_err());
    assert!(client.parse::<StaticKey>().is_err());
    assert!(client.replace("A", "").parse::<ClientKey>().is_err());
    assert!(include_str!("wrap/tls-crypt-v2-server.key").parse::<ClientKey>().is_err());
}
