//! The control channel with one peer, sans-IO.
//!
//! Inputs are datagrams ([`Session::datagram_in`]) and time ([`Session::timer`]). After each call
//! of any method, the owner polls datagrams ([`Session::poll_datagram`] until `None`), events
//! ([`Session::poll_event`] until `None`) and the next time to call `timer`
//! ([`Session::deadline`]).
//!
//! A session has up to eight keys, each with its own packet stream and TLS connection: key 0 first,
//! then 1 to 7 in turn as the session is renegotiated. A key is *established* when both key
//! messages have been exchanged ([`SessionEvent::Established`]). After the push, the owner sets the
//! parameters of the data channel ([`Session::set_data_parameters`]). From then on the session
//! emits events that install keys and swap slots, for the present key and all later ones.

mod config;
mod error;
mod event;
mod key_method;
mod key_state;
mod peer_info;
mod reliable;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

pub use config::SessionConfig;
pub use error::{DatagramError, SessionError, Stage};
pub use event::{DataParameters, Derivation, Established, SessionEvent};
pub use key_method::{Hello, KeyMethodError};
pub use peer_info::{peer_info, proto, value};

use crate::Role;
use crate::data_channel::{InstallKey, Slot};
use crate::packet::{ControlPacket, Opcode, SessionId};
use crate::session::key_state::{KeyState, Limits, Message, Phase};
use crate::wrap::Wrap;

/// Maximum length of our datagrams, as in stock servers.
const MAX_DATAGRAM_BYTES: usize = 1222;

/// Time by which a lost ack has been repeated: stock peers retransmit after 2 s (manual,
/// `--tls-timeout`).
const ACK_RESENT: Duration = Duration::from_secs(3);

/// A session with one peer.
pub struct Session {
    role: Role,
    id: SessionId,
    peer_id: Option<SessionId>,
    config: SessionConfig,
    wrap: Box<dyn Wrap>,
    /// Protection of the packets of keys 1 to 7, if not `wrap` (dynamic tls-crypt).
    renewal_wrap: Option<Box<dyn Wrap>>,
    /// Start of the session; part of the replay ids of [`Wrap`].
    unix_time_s: u32,
    /// Oldest first. The last one may still be in negotiation.
    keys: Vec<KeyState>,
    parameters: Option<DataParameters>,
    has_primary: bool,
    renegotiate_at: Option<Instant>,
    swap_at: Option<Instant>,
    delete_at: Option<Instant>,
    events: VecDeque<SessionEvent>,
    is_over: bool,
}

impl Session {
    /// Starts a client's session. Its first datagram can be polled at once.
    pub fn connect(
        config: SessionConfig,
        wrap: Box<dyn Wrap>,
        unix_time_s: u32,
        now: Instant,
    ) -> Result<Self, SessionError> {
        let id = SessionId::random().map_err(SessionError::Random)?;
        let reset = match wrap.is_v2() {
            true => Opcode::HardResetClientV3,
            false => Opcode::HardResetClientV2,
        };
        let deadline = now + config.handshake_window;
        let key = KeyState::new(
            0,
            Role::Client,
            reset,
            config.tls.connection().map_err(SessionError::Tls)?,
            deadline,
        )?;
        Ok(Self::new(Role::Client, id, None, config, wrap, unix_time_s, key))
    }

    /// Starts a server's session with a client that replied to our reset. The ids are those of the
    /// resets, ours first.
    pub fn accept(
        config: SessionConfig,
        wrap: Box<dyn Wrap>,
        (own, peer): (SessionId, SessionId),
        unix_time_s: u32,
        now: Instant,
    ) -> Result<Self, SessionError> {
        let deadline = now + config.handshake_window;
        let key =
            KeyState::after_resets(config.tls.connection().map_err(SessionError::Tls)?, deadline)?;
        Ok(Self::new(Role::Server, own, Some(peer), config, wrap, unix_time_s, key))
    }

    fn new(
        role: Role,
        id: SessionId,
        peer_id: Option<SessionId>,
        config: SessionConfig,
        wrap: Box<dyn Wrap>,
        unix_time_s: u32,
        key: KeyState,
    ) -> Self {
        Self {
            role,
            id,
            peer_id,
            config,
            wrap,
            renewal_wrap: None,
            unix_time_s,
            keys: vec![key],
            parameters: None,
            has_primary: false,
            renegotiate_at: None,
            swap_at: None,
            delete_at: None,
            events: VecDeque::new(),
            is_over: false,
        }
    }

    /// Our id.
    pub const fn id(&self) -> SessionId {
        self.id
    }

    /// The peer's id, once known.
    pub const fn peer_id(&self) -> Option<SessionId> {
        self.peer_id
    }

    /// Whether a key is established.
    pub fn is_established(&self) -> bool {
        self.established().is_some()
    }

    /// The strings of our key message for the next negotiation.
    pub const fn hello_mut(&mut self) -> &mut Hello {
        &mut self.config.hello
    }

    /// Processes a control datagram of the peer.
    ///
    /// # Errors
    ///
    /// When it is not authentic or belongs to another session. Then no state has changed.
    pub fn datagram_in(&mut self, datagram: &[u8], now: Instant) -> Result<(), DatagramError> {
        let key_id = datagram.first().map_or(0, |first| first & 7);
        let plain = Zeroizing::new(self.wrap_of(key_id).unwrap(datagram)?);
        let packet = ControlPacket::decode(&plain)?;
        if self.is_over {
            return Ok(());
        }
        match self.peer_id {
            Some(peer) if peer == packet.session_id => {}
            // The server's reset proves receipt of ours by acknowledging our id.
            None if packet.opcode == Opcode::HardResetServerV2
                && packet.acked_session == Some(self.id) =>
            {
                self.peer_id = Some(packet.session_id);
            }
            _ => return Err(DatagramError::Session),
        }
        let key_id = packet.key_id;
        if !self.keys.iter().any(|key| key.key_id == key_id) {
            if packet.opcode != Opcode::SoftResetV1 || !self.expects(key_id) {
                return Err(DatagramError::Key);
            }
            self.begin_key(now);
        }
        let Some(key) = self.keys.iter_mut().find(|key| key.key_id == key_id) else {
            return Err(DatagramError::Key);
        };
        let phase = key.phase;
        let result = key.packet_in(&packet, self.id, &self.config.hello);
        let is_new = phase < Phase::Established && key.phase == Phase::Established;
        let result = result.and_then(|()| {
            if is_new {
                self.key_established(now)?;
            }
            self.collect_messages(key_id)
        });
        self.fail_if_err(result);
        Ok(())
    }

    /// The next datagram for the peer.
    pub fn poll_datagram(&mut self, now: Instant) -> Option<Vec<u8>> {
        let renewal = self.renewal_wrap.as_ref().map_or(0, |wrap| wrap.overhead_bytes());
        let overhead = self.wrap.overhead_bytes().max(renewal);
        let limits = Limits {
            packet_bytes: MAX_DATAGRAM_BYTES.saturating_sub(overhead),
            wrapped_key_bytes: self.wrap.wrapped_key_bytes(),
        };
        let poll =
            |key: &mut KeyState| Some((key.key_id, key.poll(now, self.id, self.peer_id, limits)?));
        let (key_id, plain) = self.keys.iter_mut().find_map(poll)?;
        let unix_time_s = self.unix_time_s;
        Some(self.wrap_of(key_id).wrap(&plain, unix_time_s))
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        self.events.pop_front()
    }

    /// The next time to call [`Session::timer`] and then [`Session::poll_datagram`].
    pub fn deadline(&self) -> Option<Instant> {
        let negotiating = self.keys.iter().filter(|key| key.phase < Phase::Established);
        let handshakes = negotiating.map(|key| key.deadline).filter(|_| !self.is_over);
        let packets = self.keys.iter().filter_map(KeyState::resend_at);
        let swap_at = self.swap_at.filter(|_| self.is_peer_ready());
        let others = [self.renegotiate_at, swap_at, self.delete_at];
        handshakes.chain(packets).chain(others.into_iter().flatten()).min()
    }

    /// Processes expired timers.
    pub fn timer(&mut self, now: Instant) {
        if self.is_over {
            return;
        }
        let is_late = |key: &&KeyState| key.phase < Phase::Established && key.deadline <= now;
        if let Some(key) = self.keys.iter().find(is_late) {
            let error = SessionError::Timeout(match key.phase {
                Phase::Reset => Stage::Reset,
                Phase::Tls => Stage::Tls,
                Phase::KeyMethod | Phase::Established => Stage::KeyMethod,
            });
            self.fail_if_err(Err(error));
            return;
        }
        if self.swap_at.is_some_and(|at| at <= now) && self.is_peer_ready() {
            self.swap(now);
        }
        if self.delete_at.is_some_and(|at| at <= now) {
            self.delete_at = None;
            self.events.push_back(SessionEvent::DeleteKey(Slot::Secondary));
        }
        if self.renegotiate_at.is_some_and(|at| at <= now) {
            self.renegotiate(now);
        }
    }

    /// Starts the negotiation of another key. No effect before the first key is established, and
    /// during a negotiation.
    pub fn renegotiate(&mut self, now: Instant) {
        self.renegotiate_at = None;
        if !self.is_over && self.keys.last().is_some_and(|key| key.phase == Phase::Established) {
            self.begin_key(now);
        }
    }

    /// Sets the parameters of the data channel. Installs the established key, and each later key
    /// once it is established.
    pub fn set_data_parameters(&mut self, parameters: DataParameters, now: Instant) {
        self.parameters = Some(parameters);
        let result = self.install(now);
        self.fail_if_err(result);
    }

    /// Switches the packets of later keys to dynamic tls-crypt, with a key exported from TLS now.
    ///
    /// # Errors
    ///
    /// When no key is established.
    pub fn use_dynamic_tls_crypt(&mut self) -> Result<(), SessionError> {
        let exported = self.established().ok_or(SessionError::NotEstablished)?.renewal_key()?;
        self.renewal_wrap = Some(self.wrap.for_renegotiation(&exported, self.role));
        Ok(())
    }

    /// Whether the peer has acknowledged everything.
    pub fn is_all_acknowledged(&self) -> bool {
        self.keys.iter().all(KeyState::is_all_acknowledged)
    }

    /// Sends a control message.
    ///
    /// # Errors
    ///
    /// When no key is established.
    pub fn send_message(&mut self, text: &str) -> Result<(), SessionError> {
        let established = |key: &&mut KeyState| key.phase == Phase::Established;
        let key = self.keys.iter_mut().rfind(established).ok_or(SessionError::NotEstablished)?;
        key.send_message(text)
    }

    /// The protection of a key's packets. Key 0 is always the first key of a session.
    fn wrap_of(&mut self, key_id: u8) -> &mut dyn Wrap {
        match &mut self.renewal_wrap {
            Some(wrap) if key_id > 0 => &mut **wrap,
            _ => &mut *self.wrap,
        }
    }

    fn established(&self) -> Option<&KeyState> {
        self.keys.iter().rfind(|key| key.phase == Phase::Established)
    }

    /// Whether the session accepts a soft reset for this key id.
    fn expects(&self, key_id: u8) -> bool {
        self.keys
            .last()
            .is_some_and(|key| key.phase == Phase::Established && next_key_id(key.key_id) == key_id)
    }

    /// Adds the next key, which sends a reset, and drops all but the key before it. The peer does
    /// the same: it decrypts with no older key from here on.
    fn begin_key(&mut self, now: Instant) {
        if self.swap_at.is_some() {
            self.swap(now);
        }
        let Some(last) = self.keys.pop() else { return };
        let key_id = next_key_id(last.key_id);
        self.keys = vec![last];
        let deadline = now + self.config.handshake_window;
        let key =
            self.config.tls.connection().map_err(SessionError::Tls).and_then(|tls| {
                KeyState::new(key_id, self.role, Opcode::SoftResetV1, tls, deadline)
            });
        match key {
            Ok(key) => self.keys.push(key),
            Err(error) => self.fail_if_err(Err(error)),
        }
    }

    /// Reports the last key, and installs it if the parameters are set.
    fn key_established(&mut self, now: Instant) -> Result<(), SessionError> {
        let key = self.keys.last().ok_or(SessionError::NotEstablished)?;
        let (version, cipher_suite) = key.tls_terms();
        self.events.push_back(SessionEvent::Established(Established {
            key_id: key.key_id,
            hello: key.peer_hello().cloned().unwrap_or_default(),
            certificate: key.peer_certificate(),
            version,
            cipher_suite,
        }));
        self.renegotiate_at = self.config.renegotiate_after.map(|after| now + after);
        self.install(now)
    }

    /// Emits the installation of the newest established key.
    fn install(&mut self, now: Instant) -> Result<(), SessionError> {
        let (Some(parameters), Some(key), Some(peer_id)) =
            (self.parameters, self.established(), self.peer_id)
        else {
            return Ok(());
        };
        let keys = key.key_block(parameters.derivation, self.id, peer_id)?.data_keys(self.role);
        let key_id = key.key_id;
        let slot = if self.has_primary { Slot::Secondary } else { Slot::Primary };
        let DataParameters { suite, format, .. } = parameters;
        let key = InstallKey { slot, key_id, suite, format, keys };
        self.events.push_back(SessionEvent::InstallKey(Box::new(key)));
        self.delete_at = None;
        if self.has_primary {
            self.swap_at = Some(now + self.hold_back());
        }
        self.has_primary = true;
        Ok(())
    }

    /// Minimum time for which a new key only decrypts. A server waits as long as stock servers do.
    /// A client waits until its last acknowledgement, if lost once, has been repeated.
    fn hold_back(&self) -> Duration {
        let max = match self.role {
            Role::Client => ACK_RESENT,
            Role::Server => self.config.handshake_window,
        };
        self.config.renegotiate_after.map_or(max, |after| max.min(after / 2))
    }

    /// Whether the peer has acknowledged all packets of the newest key. Before that it may not have
    /// the data key.
    fn is_peer_ready(&self) -> bool {
        self.established().is_some_and(KeyState::is_all_acknowledged)
    }

    fn swap(&mut self, now: Instant) {
        self.swap_at = None;
        self.delete_at = Some(now + self.config.transition_window);
        self.events.push_back(SessionEvent::SwapKeys);
    }

    fn collect_messages(&mut self, key_id: u8) -> Result<(), SessionError> {
        if let Some(key) = self.keys.iter_mut().find(|key| key.key_id == key_id) {
            while let Some(message) = key.message()? {
                self.events.push_back(match message {
                    Message::Text(text) => SessionEvent::Message(text),
                    Message::Invalid => SessionEvent::InvalidMessage,
                });
            }
        }
        Ok(())
    }

    fn fail_if_err(&mut self, result: Result<(), SessionError>) {
        if let Err(error) = result
            && !self.is_over
        {
            self.is_over = true;
            (self.renegotiate_at, self.swap_at, self.delete_at) = (None, None, None);
            self.events.push_back(SessionEvent::Failed(error));
        }
    }
}

/// The key ids after 0 cycle through 1 to 7.
const fn next_key_id(key_id: u8) -> u8 {
    key_id % 7 + 1
}
