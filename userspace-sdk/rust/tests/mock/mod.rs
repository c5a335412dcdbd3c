//! A driver that consists of its data channel's configuration only.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tunic::data_channel::{
    ChannelInfo, ControlDatagram, EventInfo, InstallKey, KeyMaterial, Listen, Mode, NewPeer,
    PeerInfo, PeerSelector, PeerTraffic, SlotInfo, StampedEvent,
};
use tunic::{
    AdapterId, Completion, IoctlReply, OverlappedTransport, PendingRequest, Request, Transport,
};
use tunic_ioctl::data_channel::Command;
use tunic_ioctl::native::channel::{self, reply};
use tunic_ioctl::status::{
    STATUS_BUFFER_OVERFLOW, STATUS_CANCELLED, STATUS_INVALID_PARAMETER, STATUS_NOT_FOUND,
    STATUS_SUCCESS,
};
use tunic_ioctl::{Abi, Encoded, decode};

/// The port for a socket that may have any port.
pub(crate) const PORT: u16 = 4096;

/// The driver, shared with the test.
#[derive(Clone, Default)]
pub(crate) struct MockDriver(Arc<Mutex<State>>);

#[derive(Default)]
pub(crate) struct State {
    pub(crate) info: ChannelInfo,
    pub(crate) peers: Vec<PeerInfo>,
    /// The secrets of each installed key: for sealing, then for opening.
    pub(crate) secrets: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) sent: Vec<Vec<u8>>,
    /// Answers without a wait yet, and waits without an answer yet.
    datagrams: Queue,
    events: Queue,
}

/// A status and data.
type Answer = (u32, Vec<u8>);

#[derive(Default)]
struct Queue {
    answers: VecDeque<Vec<u8>>,
    waits: VecDeque<Sender<Answer>>,
}

impl Queue {
    fn push(&mut self, mut answer: Vec<u8>) {
        while let Some(wait) = self.waits.pop_front() {
            match wait.send((STATUS_SUCCESS, answer)) {
                Ok(()) => return,
                // Cancelled.
                Err(back) => (_, answer) = back.0,
            }
        }
        self.answers.push_back(answer);
    }

    fn wait(&mut self) -> Receiver<Answer> {
        let (sender, receiver) = channel();
        match self.answers.pop_front() {
            Some(answer) => sender.send((STATUS_SUCCESS, answer)).unwrap(),
            None => self.waits.push_back(sender),
        }
        receiver
    }

    fn stop(&mut self) {
        for wait in self.waits.drain(..) {
            let _ = wait.send((STATUS_CANCELLED, Vec::new()));
        }
    }
}

struct Wait(Receiver<Answer>);

impl PendingRequest for Wait {
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Option<Completion>> {
        let answer = match timeout {
            None => self.0.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(timeout) => self.0.recv_timeout(timeout),
        };
        match answer {
            Ok((status, data)) => {
                let reply = IoctlReply { status, information: data.len() as u64 };
                Ok(Some(Completion { reply, data: data.into() }))
            }
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn cancel(&self) -> io::Result<()> {
        Ok(())
    }
}

impl OverlappedTransport for MockDriver {
    fn start(&self, request: &Request<'_>) -> io::Result<Box<dyn PendingRequest>> {
        let Request::Ioctl { code, input, output } = *request else { panic!("no IOCTL") };
        let mut state = self.0.lock().unwrap();
        let (queue, needed) = match command(code, input) {
            Ok(Command::ReadControl) => (&mut state.datagrams, 56 + 2048),
            Ok(Command::ReadEvent) => (&mut state.events, 80),
            _ => panic!("nothing that waits"),
        };
        assert_eq!(output.len(), needed);
        Ok(Box::new(Wait(queue.wait())))
    }
}

impl Transport for MockDriver {
    fn ioctl(&self, code: u32, input: &[u8], output: &mut [u8]) -> io::Result<IoctlReply> {
        let mut state = self.0.lock().unwrap();
        let (status, information) = match command(code, input) {
            Ok(command) => state.run(command, output),
            Err(status) => (status, 0),
        };
        Ok(IoctlReply { status, information: information as u64 })
    }
}

fn command(code: u32, input: &[u8]) -> Result<Command<'_>, u32> {
    let request = decode(code, input).map_err(|_| STATUS_INVALID_PARAMETER)?;
    assert_eq!(request.adapter, None);
    match request.command {
        tunic_ioctl::Command::DataChannel(Abi::Native, command) => Ok(command),
        _ => panic!("another command"),
    }
}

impl MockDriver {
    pub(crate) fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Receives a control datagram.
    pub(crate) fn receive(&self, datagram: &ControlDatagram<'_>) {
        let mut bytes = vec![0; 4096];
        let length = channel::encode_datagram(AdapterId::default(), datagram, &mut bytes).unwrap();
        bytes.truncate(length);
        self.state().datagrams.push(bytes);
    }

    /// Reports an event.
    pub(crate) fn event(&self, sequence: u64, event: EventInfo) {
        let adapter = AdapterId::default();
        let stamped = StampedEvent { adapter, sequence, time_filetime: 0, event };
        self.state().events.push(reply::event(&stamped).to_vec());
    }

    /// Reports an event that only a newer SDK knows.
    pub(crate) fn unknown_event(&self) {
        let kind = tunic::data_channel::EventKind::KeyWanted;
        let event = EventInfo { peer: None, kind };
        let adapter = AdapterId::default();
        let stamped = StampedEvent { adapter, sequence: 0, time_filetime: 0, event };
        let mut bytes = reply::event(&stamped).to_vec();
        bytes[40] = 99;
        self.state().events.push(bytes);
    }
}

impl State {
    fn run(&mut self, command: Command<'_>, output: &mut [u8]) -> (u32, usize) {
        match command {
            Command::SetMode(mode) => self.info.mode = mode,
            Command::Listen(mut listen) => {
                if listen.local.port() == 0 {
                    listen.local.set_port(PORT);
                }
                self.info.local = Some(listen.local);
                let answer = channel::encode_listen(AdapterId::default(), &listen);
                output.copy_from_slice(&answer);
                return (STATUS_SUCCESS, answer.len());
            }
            Command::NewPeer(peer) => self.peers.push(info_of(&peer)),
            Command::DeletePeer(selector) => {
                let Some(index) = self.index(selector) else { return (STATUS_NOT_FOUND, 0) };
                self.peers.remove(index);
            }
            Command::InstallKey(key) => return (self.install(&key), 0),
            Command::SwapKeys(selector) => {
                let Some(index) = self.index(selector) else { return (STATUS_NOT_FOUND, 0) };
                let peer = &mut self.peers[index];
                std::mem::swap(&mut peer.primary, &mut peer.secondary);
            }
            Command::SetPeer(change) => {
                let Some(index) = self.index(change.peer) else { return (STATUS_NOT_FOUND, 0) };
                let peer = &mut self.peers[index];
                peer.keepalive_s = change.keepalive_s.unwrap_or(peer.keepalive_s);
                peer.timeout_s = change.timeout_s.unwrap_or(peer.timeout_s);
                peer.mss_bytes = change.mss_bytes.unwrap_or(peer.mss_bytes);
            }
            Command::Own => {}
            Command::Start => self.info.is_started = true,
            Command::Stop => {
                self.datagrams.stop();
                self.events.stop();
                *self = Self::default();
            }
            Command::QueryPeers(None) => {
                let encoded = self.encode(output);
                let status =
                    if encoded.is_complete() { STATUS_SUCCESS } else { STATUS_BUFFER_OVERFLOW };
                return (status, encoded.written_bytes);
            }
            Command::SendControl(datagram) => self.sent.push(datagram.data.to_vec()),
            Command::AddRoute(selector, _) => {
                let Some(index) = self.index(selector) else { return (STATUS_NOT_FOUND, 0) };
                self.peers[index].routes_count += 1;
            }
            _ => return (STATUS_INVALID_PARAMETER, 0),
        }
        (STATUS_SUCCESS, 0)
    }

    fn index(&self, selector: PeerSelector) -> Option<usize> {
        let id = match selector {
            PeerSelector::Only => None,
            PeerSelector::Id(id) | PeerSelector::ByMode(id) => Some(id),
        };
        self.peers.iter().position(|peer| peer.receive_id == id)
    }

    fn install(&mut self, key: &InstallKey<'_>) -> u32 {
        let Some(index) = self.index(key.peer) else { return STATUS_NOT_FOUND };
        let (encrypt, decrypt, is_epoch) = match key.material {
            KeyMaterial::Fixed { encrypt, decrypt } => (encrypt.key, decrypt.key, false),
            KeyMaterial::Epoch { encrypt, decrypt } => {
                (encrypt.as_slice(), decrypt.as_slice(), true)
            }
        };
        self.secrets.push((encrypt.to_vec(), decrypt.to_vec()));
        let info = SlotInfo { suite: key.suite, key_id: key.key_id, is_epoch };
        let peer = &mut self.peers[index];
        match key.slot {
            tunic::data_channel::Slot::Primary => peer.primary = Some(info),
            tunic::data_channel::Slot::Secondary => peer.secondary = Some(info),
        }
        STATUS_SUCCESS
    }

    fn encode(&self, output: &mut [u8]) -> Encoded {
        let peers_count = u32::try_from(self.peers.len()).unwrap();
        let info = ChannelInfo { peers_count, ..self.info };
        let mut encoder = reply::ChannelEncoder::new(output, &info);
        self.peers.iter().for_each(|peer| encoder.peer(peer));
        encoder.finish()
    }
}

fn info_of(peer: &NewPeer) -> PeerInfo {
    PeerInfo {
        receive_id: peer.receive_id,
        transmit_id: peer.transmit_id,
        remote: peer.remote,
        vpn4: peer.vpn4,
        vpn6: peer.vpn6,
        routes_count: 0,
        keepalive_s: 0,
        timeout_s: 0,
        mss_bytes: 0,
        primary: None,
        secondary: None,
        traffic: PeerTraffic::default(),
    }
}

/// The listener of a server.
pub(crate) fn any_address() -> Listen {
    Listen { local: "0.0.0.0:0".parse().unwrap(), v6_only: false }
}

/// A server's mode.
pub(crate) const SERVER: Mode = Mode::MultiPeer;
