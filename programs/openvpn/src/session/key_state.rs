//! One key of a session: a reliable packet stream, the TLS connection on it, and the exchange of
//! key messages.

use std::io::{Read, Write};
use std::time::Instant;

use rustls::pki_types::CertificateDer;
use rustls::{CipherSuite, Connection, ProtocolVersion};
use zeroize::Zeroizing;

use crate::Role;
use crate::keys::{EXPORTER_LABEL, KeyBlock, KeySource};
use crate::packet::{ControlPacket, MAX_ACKS, Opcode, SessionId};
use crate::session::error::SessionError;
use crate::session::event::Derivation;
use crate::session::key_method::{Hello, KeyMethod};
use crate::session::reliable::{Acks, Arrival, ReceiveWindow, SendWindow};
use crate::wrap::{DYNAMIC_TLS_CRYPT_LABEL, StaticKey};

/// Maximum of acks on a packet with payload, as in stock OpenVPN.
const PIGGYBACKED_ACKS: usize = 4;

/// Header length with that many acks.
const HEADER_BYTES: usize = 1 + 8 + 1 + 4 * PIGGYBACKED_ACKS + 8 + 4;

/// Maximum length of a control message.
const MAX_MESSAGE_BYTES: usize = 64 << 10;

/// TLV after a server's reset that requests the wrapped client key again (`EARLY_NEG_FLAGS`,
/// `RESEND_WKC`).
const EARLY_FLAGS_TYPE: u16 = 1;
const RESEND_WRAPPED_KEY: u16 = 1;

/// Negotiation phase of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Waits for the peer's reset.
    Reset,
    /// TLS handshake.
    Tls,
    /// Waits for the peer's key message.
    KeyMethod,
    /// Both key messages are exchanged.
    Established,
}

/// A received control message.
pub(super) enum Message {
    /// Its text.
    Text(Zeroizing<String>),
    /// It contains control characters, and is dropped as a whole.
    Invalid,
}

/// Size limits of sent packets.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Maximum length of a plain packet.
    pub(super) packet_bytes: usize,
    /// Length of the wrapped key on packets that carry it.
    pub(super) wrapped_key_bytes: usize,
}

/// State of a key.
pub(super) struct KeyState {
    pub(super) key_id: u8,
    pub(super) phase: Phase,
    /// Deadline of the negotiation.
    pub(super) deadline: Instant,
    role: Role,
    tls: Connection,
    tls_out: Vec<u8>,
    plaintext: Zeroizing<Vec<u8>>,
    sender: SendWindow,
    receiver: ReceiveWindow,
    acks: Acks,
    source: KeySource,
    peer: Option<KeyMethod>,
    resends_wrapped_key: bool,
}

impl KeyState {
    /// Creates a key that starts by sending a reset with this opcode.
    pub(super) fn new(
        key_id: u8,
        role: Role,
        reset: Opcode,
        tls: Connection,
        deadline: Instant,
    ) -> Result<Self, SessionError> {
        let mut state = Self {
            key_id,
            phase: Phase::Reset,
            deadline,
            role,
            tls,
            tls_out: Vec::new(),
            plaintext: Zeroizing::new(Vec::new()),
            sender: SendWindow::new(0),
            receiver: ReceiveWindow::new(0),
            acks: Acks::default(),
            source: KeySource::generate(role).map_err(SessionError::Random)?,
            peer: None,
            resends_wrapped_key: false,
        };
        state.sender.push(reset, Vec::new());
        Ok(state)
    }

    /// Creates a server's first key after the stateless exchange of resets.
    pub(super) fn after_resets(tls: Connection, deadline: Instant) -> Result<Self, SessionError> {
        let mut state = Self::new(0, Role::Server, Opcode::HardResetServerV2, tls, deadline)?;
        state.phase = Phase::Tls;
        state.sender = SendWindow::new(1);
        state.receiver = ReceiveWindow::new(1);
        Ok(state)
    }

    /// Processes acks and payload of a packet. `hello` holds the strings of our key message.
    pub(super) fn packet_in(
        &mut self,
        packet: &ControlPacket<'_>,
        own: SessionId,
        hello: &Hello,
    ) -> Result<(), SessionError> {
        if packet.acked_session == Some(own) {
            for id in &packet.acks {
                self.sender.acknowledged(*id);
            }
        }
        if let Some(id) = packet.packet_id {
            let is_data = matches!(packet.opcode, Opcode::ControlV1 | Opcode::ControlWkcV1);
            // Packet 0 is a reset, and no other packet is.
            if is_data != (id > 0) {
                return Ok(());
            }
            if self.receiver.push(id, packet.payload) == Arrival::Acknowledge {
                self.acks.push(id);
            }
        }
        while let Some((id, payload)) = self.receiver.pop() {
            match id {
                0 => {
                    self.phase = self.phase.max(Phase::Tls);
                    self.resends_wrapped_key = wants_wrapped_key(&payload);
                }
                _ => self.tls_in(&payload)?,
            }
        }
        self.advance(hello)
    }

    /// Passes bytes of the stream to TLS.
    fn tls_in(&mut self, mut bytes: &[u8]) -> Result<(), SessionError> {
        while !bytes.is_empty() {
            // Reading from a slice fails only if the TLS buffer is full.
            let read = self.tls.read_tls(&mut bytes).map_err(SessionError::TlsBuffer)?;
            if read == 0 {
                return Err(SessionError::Closed);
            }
            let state = self.tls.process_new_packets().map_err(|error| {
                // Sends the alert.
                self.flush_tls();
                SessionError::Tls(error)
            })?;
            let start = self.plaintext.len();
            let end = start + state.plaintext_bytes_to_read();
            if end > 2 * MAX_MESSAGE_BYTES {
                return Err(SessionError::MessageTooLong);
            }
            // Grown by hand: reallocation would leave a copy of secrets in freed memory.
            if end > self.plaintext.capacity() {
                let mut larger = Zeroizing::new(Vec::with_capacity(end.next_power_of_two()));
                larger.extend_from_slice(&self.plaintext);
                self.plaintext = larger;
            }
            self.plaintext.resize(end, 0);
            let unread = self.plaintext.get_mut(start..).unwrap_or_default();
            self.tls.reader().read_exact(unread).map_err(SessionError::TlsBuffer)?;
            if state.peer_has_closed() && start == end {
                return Err(SessionError::Closed);
            }
        }
        Ok(())
    }

    /// Advances the negotiation as far as possible.
    fn advance(&mut self, hello: &Hello) -> Result<(), SessionError> {
        if self.phase == Phase::Tls {
            if !self.tls.is_handshaking() {
                self.phase = Phase::KeyMethod;
                if self.role == Role::Client {
                    self.send_key_method(hello)?;
                }
            }
            self.flush_tls();
        }
        if self.phase == Phase::KeyMethod {
            let peer_role = match self.role {
                Role::Client => Role::Server,
                Role::Server => Role::Client,
            };
            if let Some((message, length)) = KeyMethod::decode(peer_role, &self.plaintext)? {
                self.plaintext.drain(..length);
                self.peer = Some(message);
                self.phase = Phase::Established;
                if self.role == Role::Server {
                    self.send_key_method(hello)?;
                }
            }
        }
        self.flush_tls();
        Ok(())
    }

    fn send_key_method(&mut self, hello: &Hello) -> Result<(), SessionError> {
        let message = KeyMethod::encode(self.role, &self.source, hello);
        self.tls.writer().write_all(&message).map_err(SessionError::TlsBuffer)
    }

    fn flush_tls(&mut self) {
        // Writing to a Vec does not fail.
        while self.tls.wants_write() && self.tls.write_tls(&mut self.tls_out).is_ok() {}
    }

    /// The next control message of the peer, once established.
    pub(super) fn message(&mut self) -> Result<Option<Message>, SessionError> {
        if self.phase != Phase::Established {
            return Ok(None);
        }
        let Some(end) = self.plaintext.iter().position(|byte| *byte == 0) else {
            return match self.plaintext.len() {
                length if length > MAX_MESSAGE_BYTES => Err(SessionError::MessageTooLong),
                _ => Ok(None),
            };
        };
        let bytes: Zeroizing<Vec<u8>> = Zeroizing::new(self.plaintext.drain(..=end).collect());
        let text = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
        // As stock: some scripts end messages with a line break, and none may contain one.
        let length = text.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n'));
        let text = &text[..length.map_or(0, |last| last + 1)];
        if text.iter().any(u8::is_ascii_control) {
            return Ok(Some(Message::Invalid));
        }
        Ok(Some(Message::Text(Zeroizing::new(String::from_utf8_lossy(text).into_owned()))))
    }

    /// Sends a control message.
    pub(super) fn send_message(&mut self, text: &str) -> Result<(), SessionError> {
        let mut writer = self.tls.writer();
        let bytes = Zeroizing::new([text.as_bytes(), b"\0"].concat());
        writer.write_all(&bytes).map_err(SessionError::TlsBuffer)?;
        self.flush_tls();
        Ok(())
    }

    /// The next packet to send.
    pub(super) fn poll(
        &mut self,
        now: Instant,
        own: SessionId,
        peer: Option<SessionId>,
        limits: Limits,
    ) -> Option<Vec<u8>> {
        if self.phase > Phase::Reset {
            self.fill_window(limits);
        }
        let due = self.sender.poll(now);
        let max = if due.is_some() { PIGGYBACKED_ACKS } else { MAX_ACKS };
        if due.is_none() && !self.acks.is_due() {
            return None;
        }
        let acks = self.acks.take(max);
        let packet = ControlPacket {
            opcode: due.as_ref().map_or(Opcode::AckV1, |due| due.opcode),
            key_id: self.key_id,
            session_id: own,
            acked_session: peer.filter(|_| !acks.is_empty()),
            acks,
            packet_id: due.as_ref().map(|due| due.id),
            payload: due.as_ref().map_or(&[], |due| &due.payload),
        };
        Some(packet.encode())
    }

    /// Splits pending TLS output into packets, as far as the send window allows.
    fn fill_window(&mut self, limits: Limits) {
        while self.sender.has_room() && !self.tls_out.is_empty() {
            let mut room = limits.packet_bytes.saturating_sub(HEADER_BYTES);
            let mut opcode = Opcode::ControlV1;
            if std::mem::take(&mut self.resends_wrapped_key) && limits.wrapped_key_bytes > 0 {
                opcode = Opcode::ControlWkcV1;
                room = room.saturating_sub(limits.wrapped_key_bytes);
            }
            let length = self.tls_out.len().min(room.max(1));
            self.sender.push(opcode, self.tls_out.drain(..length).collect());
        }
    }

    /// The next retransmission time.
    pub(super) fn resend_at(&self) -> Option<Instant> {
        self.sender.deadline()
    }

    /// The strings of the peer's key message.
    pub(super) fn peer_hello(&self) -> Option<&Hello> {
        self.peer.as_ref().map(|peer| &peer.hello)
    }

    /// The peer's certificate.
    pub(super) fn peer_certificate(&self) -> Option<CertificateDer<'static>> {
        self.tls.peer_certificates()?.first().map(|certificate| certificate.clone().into_owned())
    }

    /// Negotiated TLS version and cipher suite.
    pub(super) fn tls_terms(&self) -> (Option<ProtocolVersion>, Option<CipherSuite>) {
        let suite = self.tls.negotiated_cipher_suite().map(|suite| suite.suite());
        (self.tls.protocol_version(), suite)
    }

    /// The exported key for dynamic tls-crypt.
    pub(super) fn renewal_key(&self) -> Result<StaticKey, SessionError> {
        let bytes = self.tls.export_keying_material([0; 256], DYNAMIC_TLS_CRYPT_LABEL, None);
        Ok(StaticKey::from_bytes(&Zeroizing::new(bytes.map_err(SessionError::Tls)?)))
    }

    /// Whether everything was sent and acknowledged.
    pub(super) fn is_all_acknowledged(&self) -> bool {
        self.tls_out.is_empty() && self.sender.is_empty()
    }

    /// The key block of the data channel.
    pub(super) fn key_block(
        &self,
        derivation: Derivation,
        own_id: SessionId,
        peer_id: SessionId,
    ) -> Result<KeyBlock, SessionError> {
        match derivation {
            Derivation::Exporter => {
                let bytes = Zeroizing::new(
                    self.tls
                        .export_keying_material([0; KeyBlock::BYTES], EXPORTER_LABEL, None)
                        .map_err(SessionError::Tls)?,
                );
                Ok(KeyBlock::from_exporter(*bytes))
            }
            Derivation::Prf => {
                let peer = &self.peer.as_ref().ok_or(SessionError::NotEstablished)?.source;
                Ok(match self.role {
                    Role::Client => KeyBlock::from_prf(&self.source, peer, own_id, peer_id),
                    Role::Server => KeyBlock::from_prf(peer, &self.source, peer_id, own_id),
                })
            }
        }
    }
}

/// Whether a reset's payload requests the wrapped key.
fn wants_wrapped_key(mut payload: &[u8]) -> bool {
    while let Some(([t0, t1, l0, l1], rest)) = payload.split_first_chunk::<4>() {
        let length = usize::from(u16::from_be_bytes([*l0, *l1]));
        let Some(value) = rest.get(..length) else { return false };
        if u16::from_be_bytes([*t0, *t1]) == EARLY_FLAGS_TYPE
            && let [f0, f1] = *value
        {
            return u16::from_be_bytes([f0, f1]) & RESEND_WRAPPED_KEY != 0;
        }
        payload = &rest[length..];
    }
    false
}
