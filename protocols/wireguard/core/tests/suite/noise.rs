//! The Noise core against cacophony's vector and against snow.

use nic_crypto::x25519::{self, PublicKey, StaticSecret};
use nic_crypto::{Open, Processor, Seal, Source, Verdict};
use nic_wireguard::Identity;
use nic_wireguard::noise::{
    HandshakeError, IdentifiedInitiation, PROLOGUE, SentInitiation, SessionKey, SessionKeys,
};

const PATTERN: &str = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";

fn hex<const N: usize>(digits: &str) -> [u8; N] {
    bytes(digits).try_into().expect("length")
}

fn bytes(digits: &str) -> Vec<u8> {
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

/// The first message, our way.
fn initiate(
    prologue: &[u8],
    identity: &Identity,
    remote: &PublicKey,
    ephemeral: [u8; 32],
    payload: &[u8],
) -> (SentInitiation, Vec<u8>) {
    let secret = StaticSecret::from_bytes(*identity.private_key());
    let static_static = x25519::diffie_hellman(&secret, remote).unwrap();
    let mut sealed_payload = vec![0; payload.len() + 16];
    let (state, ephemeral, sealed_static) = SentInitiation::initiate(
        prologue,
        identity,
        remote,
        &static_static,
        StaticSecret::from_bytes(ephemeral),
        payload,
        &mut sealed_payload,
    )
    .unwrap();
    (state, [&ephemeral.0[..], &sealed_static, &sealed_payload].concat())
}

/// Both messages, our way as responder.
fn respond(
    prologue: &[u8],
    identity: &Identity,
    psk: &[u8; 32],
    ephemeral: [u8; 32],
    message: &[u8],
    payload: &[u8],
) -> Result<(Vec<u8>, PublicKey, Vec<u8>, SessionKeys), HandshakeError> {
    let remote_ephemeral = PublicKey(message[..32].try_into().unwrap());
    let sealed_static = message[32..80].try_into().unwrap();
    let identified =
        IdentifiedInitiation::identify(prologue, identity, &remote_ephemeral, sealed_static)?;
    let remote = *identified.remote();
    let secret = StaticSecret::from_bytes(*identity.private_key());
    let static_static =
        x25519::diffie_hellman(&secret, &remote).ok_or(HandshakeError::LowOrderPoint)?;
    let mut received = vec![0; message.len() - 96];
    let state = identified.authenticate(&static_static, &message[80..], &mut received)?;
    let mut sealed_payload = vec![0; payload.len() + 16];
    let ephemeral = StaticSecret::from_bytes(ephemeral);
    let (ephemeral, keys) = state.respond(psk, &ephemeral, payload, &mut sealed_payload)?;
    Ok((received, remote, [&ephemeral.0[..], &sealed_payload].concat(), keys))
}

fn finish(
    state: &SentInitiation,
    identity: &Identity,
    psk: &[u8; 32],
    message: &[u8],
) -> Result<(Vec<u8>, SessionKeys), HandshakeError> {
    let remote_ephemeral = PublicKey(message[..32].try_into().unwrap());
    let mut payload = vec![0; message.len() - 48];
    let keys = state.finish(identity, psk, &remote_ephemeral, &message[32..], &mut payload)?;
    Ok((payload, keys))
}

fn seal(key: &SessionKey, counter: u64, payload: &[u8]) -> Vec<u8> {
    let (mut sealed, mut tag) = (payload.to_vec(), [0; 16]);
    let packet = Seal::new(nonce(counter), &[], Source::InPlace, &mut sealed, &mut tag);
    key.seal(Processor::PORTABLE.base(), &mut [packet]);
    sealed.extend_from_slice(&tag);
    sealed
}

/// `None` if it is forged.
fn open(key: &SessionKey, counter: u64, sealed: &[u8]) -> Option<Vec<u8>> {
    let (text, tag) = sealed.split_last_chunk()?;
    let mut opened = text.to_vec();
    let mut packets = [Open::new(nonce(counter), &[], Source::InPlace, *tag, &mut opened)];
    key.open(Processor::PORTABLE.base(), &mut packets);
    let verdict = packets[0].verdict;
    (verdict == Verdict::Authentic).then_some(opened)
}

fn nonce(counter: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&counter.to_le_bytes());
    nonce
}

/// cacophony's vector (github.com/haskell-cryptography/cacophony, vectors/cacophony.txt).
#[test]
fn cacophony() {
    let prologue = bytes("4a6f686e2047616c74");
    let psk = hex("54686973206973206d7920417573747269616e20706572737065637469766521");
    let initiator =
        Identity::new(&hex("e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1"));
    let responder =
        Identity::new(&hex("4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893"));
    assert_eq!(
        responder.public_key().0,
        hex("31e0303fd6418d2f8c0e78b91f22e8caed0fbe48656dcf4767e4834f701b8f62")
    );
    let initiator_ephemeral =
        hex("893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a");
    let responder_ephemeral =
        hex("bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b");

    let payload = bytes("4c756477696720766f6e204d69736573");
    let (state, first) =
        initiate(&prologue, &initiator, responder.public_key(), initiator_ephemeral, &payload);
    let expected = "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944001e21de9f98ddd8\
        e2ad57527207feb56253c9c94a9e496782ecfcb2a75fbcaf1b52948cc48daefe660c62119ab5000980c84831215f\
        2441eba616548e832985464cf17e51ee93109008399a21f7e13f";
    assert_eq!(first, bytes(expected));

    let answer = bytes("4d757272617920526f746862617264");
    let (received, remote, second, responder_keys) =
        respond(&prologue, &responder, &psk, responder_ephemeral, &first, &answer).unwrap();
    assert_eq!((received, remote), (payload, *initiator.public_key()));
    let expected = "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843cb765f2caef0751b\
        8f007572dab0322217755c0632f365717edbf34d33e87a";
    assert_eq!(second, bytes(expected));

    let (received, initiator_keys) = finish(&state, &initiator, &psk, &second).unwrap();
    assert_eq!(received, answer);
    let transport = [
        ("462e20412e20486179656b", "8153ca9833bc3c1b91a7e66e5f4d4f5b59bf9e64c2f20d15f0bba7"),
        ("4361726c204d656e676572", "07af0c9c86e1b4e80f36b04ff7688d51141af3debd0332f0a705ef"),
        (
            "4a65616e2d426170746973746520536179",
            "6ab1467c0448cc78394494abaaf23afce0e234315d6e2624dcbfa8a21c1c4d073d",
        ),
        (
            "457567656e2042f6686d20766f6e2042617765726b",
            "dfc346c0d2296ae6cf1acf6f12b8456a1dba228cf8d8b774aacf1c47fc53aa80ebc7a4c292",
        ),
    ];
    for (number, (payload, ciphertext)) in transport.into_iter().enumerate() {
        let (sender, receiver) = if number % 2 == 0 {
            (&initiator_keys.send, &responder_keys.receive)
        } else {
            (&responder_keys.send, &initiator_keys.receive)
        };
        let counter = number as u64 / 2;
        assert_eq!(seal(sender, counter, &bytes(payload)), bytes(ciphertext));
        assert_eq!(open(receiver, counter, &bytes(ciphertext)), Some(bytes(payload)));
    }
}

/// Random enough, and the same each time.
struct Random(u64);

impl Random {
    fn key(&mut self) -> [u8; 32] {
        std::array::from_fn(|_| {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.0 >> 56) as u8
        })
    }
}

fn snow_builder<'a>(
    private: &'a [u8; 32],
    psk: &'a [u8; 32],
    prologue: &'a [u8],
) -> snow::Builder<'a> {
    snow::Builder::new(PATTERN.parse().unwrap())
        .local_private_key(private)
        .unwrap()
        .psk(2, psk)
        .unwrap()
        .prologue(prologue)
        .unwrap()
}

#[test]
fn we_begin_and_snow_answers() {
    let mut random = Random(1);
    for _ in 0..50 {
        let (ours, theirs) = (Identity::new(&random.key()), random.key());
        let their_public = x25519::public_key(&StaticSecret::from_bytes(theirs));
        let psk = random.key();
        let timestamp = &random.key()[..12];
        let (state, first) = initiate(PROLOGUE, &ours, &their_public, random.key(), timestamp);
        assert_eq!(first.len(), 148 - 8 - 32);

        let mut snow = snow_builder(&theirs, &psk, PROLOGUE).build_responder().unwrap();
        let mut buffer = [0; 256];
        let length = snow.read_message(&first, &mut buffer).unwrap();
        assert_eq!(&buffer[..length], timestamp);
        assert_eq!(snow.get_remote_static().unwrap(), ours.public_key().as_bytes());
        let length = snow.write_message(&[], &mut buffer).unwrap();
        assert_eq!(length, 92 - 12 - 32);
        let second = buffer[..length].to_vec();

        let wrong = finish(&state, &ours, &random.key(), &second).map(|_| ());
        assert_eq!(wrong, Err(HandshakeError::Forged));
        let (_, keys) = finish(&state, &ours, &psk, &second).unwrap();
        agree_on_transport(&keys, snow.into_transport_mode().unwrap());
    }
}

#[test]
fn snow_begins_and_we_answer() {
    let mut random = Random(2);
    for _ in 0..50 {
        let (ours, theirs) = (Identity::new(&random.key()), random.key());
        let psk = random.key();
        let mut snow = snow_builder(&theirs, &psk, PROLOGUE)
            .remote_public_key(ours.public_key().as_bytes())
            .unwrap()
            .build_initiator()
            .unwrap();
        let timestamp = &random.key()[..12];
        let mut buffer = [0; 256];
        let length = snow.write_message(timestamp, &mut buffer).unwrap();
        let first = buffer[..length].to_vec();

        let (received, remote, second, keys) =
            respond(PROLOGUE, &ours, &psk, random.key(), &first, &[]).unwrap();
        assert_eq!(received, timestamp);
        assert_eq!(remote, x25519::public_key(&StaticSecret::from_bytes(theirs)));
        assert_eq!(snow.read_message(&second, &mut buffer).unwrap(), 0);
        agree_on_transport(&keys, snow.into_transport_mode().unwrap());
    }
}

fn agree_on_transport(keys: &SessionKeys, mut snow: snow::TransportState) {
    let mut buffer = [0; 256];
    for counter in 0..3 {
        let sealed = seal(&keys.send, counter, b"to snow");
        let length = snow.read_message(&sealed, &mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"to snow");
        let length = snow.write_message(b"from snow", &mut buffer).unwrap();
        let opened = open(&keys.receive, counter, &buffer[..length]);
        assert_eq!(opened.as_deref(), Some(&b"from snow"[..]));
    }
}
