//! Answers to queries of an adapter and its peers.

use nic_crypto::Suite;
use nic_engine::protocol::PeerId;
use nic_miniport::answer::complete_encoded;
use nic_miniport::status::Refusal;
use nic_miniport::{adapter, time};
use nic_openvpn::configure::{self, PeerState};
use nic_openvpn::{Format, SlotInfo};
use nt::irp::{Dispatched, Irp};
use nt::pool::PoolBytes;
use nt::{Shared, Status};
use tunic_ioctl::data_channel::{self, ChannelInfo, PeerInfo, PeerSelector, PeerTraffic};
use tunic_ioctl::native::channel::{self, reply::ChannelEncoder};
use tunic_ioctl::{Encoded, native, ovpn_dco};

use crate::channel::{Adapter, Baseline, Config, Sink};
use crate::peers;
use crate::status::{ChannelResult, PeerUse};

/// The current counters, as the baseline of ovpn-dco-win's statistics.
pub(super) fn baseline(adapter: &Shared<Adapter>) -> Baseline {
    Baseline(counters(adapter))
}

/// Answers ovpn-dco-win's version.
pub(super) fn version(irp: &mut Irp) -> ChannelResult<usize> {
    write(irp, &ovpn_dco::encode_version())
}

/// Answers an adapter's counters in ovpn-dco-win's format.
pub(super) fn statistics(adapter: &Shared<Adapter>, irp: &mut Irp) -> ChannelResult<usize> {
    let Baseline(start) = adapter.state.lock().settings.baseline;
    let now = counters(adapter);
    let since = |now: u64, start: u64| now.wrapping_sub(start);
    let mut statistics = ovpn_dco::Statistics {
        lost_in_control: since(now.lost_in_control, start.lost_in_control),
        lost_out_control: since(now.lost_out_control, start.lost_out_control),
        lost_in_data: since(now.lost_in_data, start.lost_in_data),
        lost_out_data: since(now.lost_out_data, start.lost_out_data),
        received_data: since(now.received_data, start.received_data),
        received_control: since(now.received_control, start.received_control),
        sent_control: since(now.sent_control, start.sent_control),
        sent_data: since(now.sent_data, start.sent_data),
        transport_sent_bytes: since(now.transport_sent_bytes, start.transport_sent_bytes),
        transport_received_bytes: since(
            now.transport_received_bytes,
            start.transport_received_bytes,
        ),
        ..ovpn_dco::Statistics::default()
    };
    // Counted per peer; the counts of removed peers are lost.
    with_config(adapter, |config| {
        for_each_peer(config, |_, _, state| {
            let traffic = traffic(state);
            statistics.tun_sent_bytes =
                statistics.tun_sent_bytes.wrapping_add(traffic.vpn_tx_bytes);
            statistics.tun_received_bytes =
                statistics.tun_received_bytes.wrapping_add(traffic.vpn_rx_bytes);
        });
    });
    write(irp, &ovpn_dco::encode_statistics(&statistics))
}

/// Answers a peer's counters in ovpn-dco-win's format.
pub(super) fn peer(
    adapter: &Shared<Adapter>,
    irp: &mut Irp,
    selector: PeerSelector,
) -> ChannelResult<usize> {
    let (PeerSelector::Id(asked) | PeerSelector::ByMode(asked)) = selector else {
        return Err(Status::INVALID_PARAMETER.into());
    };
    let id = peers::receive_id(&adapter.state.lock(), selector)?;
    let traffic = with_config(adapter, |config| {
        let peer = peers::find(config, id, PeerUse::Statistics)?;
        let state = configure::peer_state(config, peer);
        ChannelResult::Ok(state.map(|state| traffic(&state)).unwrap_or_default())
    })?;
    write(irp, &ovpn_dco::encode_peer_stats(asked, &traffic))
}

/// Answers the counters of all peers in ovpn-dco-win's format; if they do not fit, the required
/// length.
pub(super) fn peers(adapter: &Shared<Adapter>, mut irp: Irp) -> Dispatched {
    /// The length of one record.
    const SIZE: usize = ovpn_dco::PeerStats::SIZE;
    let (count, answer) = with_config(adapter, |config| {
        let count = config.peer_count();
        let needed = count.saturating_mul(SIZE);
        if needed > irp.output_bytes() {
            return (count, None);
        }
        let mut answer = PoolBytes::zeroed(needed);
        if let Ok(answer) = &mut answer {
            let mut records = answer.chunks_exact_mut(SIZE);
            for_each_peer(config, |_, _, state| {
                if let Some(record) = records.next() {
                    let id = state.receive_id.unwrap_or(u32::MAX);
                    record.copy_from_slice(&ovpn_dco::encode_peer_stats(id, &traffic(state)));
                }
            });
        }
        (count, Some(answer))
    });
    let result = match answer {
        None if irp.output_bytes() < 4 => Err(Status::BUFFER_TOO_SMALL),
        None => match irp.write_output(&ovpn_dco::encode_required_bytes(count)) {
            Ok(()) => return irp.complete(Status::BUFFER_OVERFLOW, 4),
            Err(status) => Err(status),
        },
        Some(answer) => answer.and_then(|answer| irp.write_output(&answer).map(|()| answer.len())),
    };
    match result {
        Ok(bytes) => irp.complete(Status::SUCCESS, bytes),
        Err(status) => irp.complete(status, 0),
    }
}

/// Answers the channel's state and all peers in the native ABI.
pub(super) fn channel(adapter: &Shared<Adapter>, mut irp: Irp) -> Dispatched {
    let result = encode_channel(adapter, &mut irp);
    complete_encoded(irp, result)
}

fn encode_channel(adapter: &Shared<Adapter>, irp: &mut Irp) -> Result<Encoded, Refusal> {
    let state = adapter.state.lock();
    let mut info = ChannelInfo {
        mode: state.settings.mode,
        is_started: state.is_connected,
        local: adapter.sockets.bound(),
        peers_count: 0,
    };
    drop(state);
    let (answer, encoded) = with_config(adapter, |config| {
        let count = config.peer_count();
        info.peers_count = u32::try_from(count).unwrap_or(u32::MAX);
        let fixed = native::Reply::SIZE.saturating_add(channel::Info::SIZE);
        let most = count.saturating_mul(channel::PeerInfo::SIZE).saturating_add(fixed);
        let mut answer = PoolBytes::zeroed(irp.output_bytes().min(most))?;
        let mut encoder = ChannelEncoder::new(&mut answer, &info);
        for_each_peer(config, |config, peer, state| {
            let mut routes_count = 0_u32;
            config.for_each_route(peer, &mut |_| routes_count = routes_count.saturating_add(1));
            encoder.peer(&PeerInfo { routes_count, ..peer_info(state) });
        });
        let encoded = encoder.finish();
        nt::Result::Ok((answer, encoded))
    })?;
    irp.write_output(answer.get(..encoded.written_bytes).unwrap_or_default())?;
    Ok(encoded)
}

fn with_config<R>(adapter: &Shared<Adapter>, f: impl FnOnce(&mut Config<'_>) -> R) -> R {
    adapter.nic.configure(time::now(), &mut Sink::new(adapter), f)
}

fn for_each_peer(config: &mut Config<'_>, mut f: impl FnMut(&mut Config<'_>, PeerId, &PeerState)) {
    let mut last = None;
    while let Some(peer) = config.next_peer(last) {
        last = Some(peer);
        if let Some(state) = configure::peer_state(config, peer) {
            f(config, peer, &state);
        }
    }
}

/// All counters since the adapter was created, except the bytes inside the tunnel.
fn counters(adapter: &Shared<Adapter>) -> ovpn_dco::Statistics {
    let data = adapter::statistics(adapter);
    let extension = &adapter.extension;
    ovpn_dco::Statistics {
        lost_in_control: extension.inbox.ring.lost(),
        lost_out_control: extension.outbox.lost(),
        lost_in_data: data.receive_errors.wrapping_add(data.receive_discards),
        lost_out_data: data.send_errors.wrapping_add(data.send_discards),
        received_data: data.received_packets,
        received_control: extension.inbox.received(),
        sent_control: extension.outbox.sent(),
        sent_data: data.sent_packets,
        transport_sent_bytes: data.sent_bytes,
        transport_received_bytes: data.received_bytes,
        tun_sent_bytes: 0,
        tun_received_bytes: 0,
    }
}

fn traffic(state: &PeerState) -> PeerTraffic {
    let counters = &state.counters;
    PeerTraffic {
        rx_packets: counters.received_packets,
        tx_packets: counters.sent_packets,
        link_rx_bytes: counters.received_bytes,
        link_tx_bytes: counters.sent_bytes,
        vpn_rx_bytes: counters.received_payload_bytes,
        vpn_tx_bytes: counters.sent_payload_bytes,
    }
}

/// A peer's record, without the number of its routes.
fn peer_info(state: &PeerState) -> PeerInfo {
    /// The address of a peer without one, which does not occur.
    const NOWHERE: core::net::SocketAddr =
        core::net::SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED), 0);
    PeerInfo {
        receive_id: state.receive_id,
        transmit_id: state.transmit_id,
        remote: state.endpoint.map_or(NOWHERE, |endpoint| endpoint.remote),
        vpn4: state.vpn4,
        vpn6: state.vpn6,
        routes_count: 0,
        keepalive_s: state.keepalive_s,
        timeout_s: state.timeout_s,
        mss_bytes: state.mss_bytes,
        primary: state.primary.map(slot_info),
        secondary: state.secondary.map(slot_info),
        traffic: traffic(state),
    }
}

fn slot_info(info: SlotInfo) -> data_channel::SlotInfo {
    data_channel::SlotInfo {
        suite: match info.suite {
            Suite::Aes128Gcm => data_channel::Suite::Aes128Gcm,
            Suite::Aes192Gcm => data_channel::Suite::Aes192Gcm,
            Suite::Aes256Gcm => data_channel::Suite::Aes256Gcm,
            Suite::ChaCha20Poly1305 => data_channel::Suite::ChaCha20Poly1305,
        },
        key_id: info.key_id,
        is_epoch: info.format == Format::Epoch,
    }
}

fn write(irp: &mut Irp, answer: &[u8]) -> ChannelResult<usize> {
    irp.write_output(answer)?;
    Ok(answer.len())
}
