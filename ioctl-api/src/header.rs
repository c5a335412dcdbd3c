//! The C header, `include/tunic.h`, generated from the records by `cargo run -p tunic-ioctl
//! --example header`.

use core::fmt;

use crate::data_channel::{DeleteReason, Suite};
use crate::native::Kind;
use crate::native::channel;
use crate::{Layout, native, ovpn_dco, protocol, wireguard_nt};

/// Writes the header.
pub fn write(out: &mut impl fmt::Write) -> fmt::Result {
    out.write_str(PROLOGUE)?;
    out.write_str("\n/* The native ABI */\n\n")?;
    constants(out, "TUNIC_", NATIVE_CONSTANTS)?;
    for (index, name) in native::DISCARD_NAMES.iter().enumerate() {
        out.write_str("#define TUNIC_DISCARD_")?;
        for letter in name.chars() {
            out.write_char(if letter == '-' { '_' } else { letter.to_ascii_uppercase() })?;
        }
        writeln!(out, " {index}")?;
    }
    for layout in NATIVE_RECORDS {
        record(out, layout)?;
    }
    out.write_str("\n/* The ABI of WireGuardNT */\n\n")?;
    constants(out, "TUNIC_WG_", WIREGUARD_NT_CONSTANTS)?;
    for layout in WIREGUARD_NT_RECORDS {
        record(out, layout)?;
    }
    out.write_str("\n/* The ABI of ovpn-dco-win */\n\n")?;
    constants(out, "TUNIC_OVPN_", OVPN_DCO_CONSTANTS)?;
    for layout in OVPN_DCO_RECORDS {
        record(out, layout)?;
    }
    out.write_str(EPILOGUE)
}

const PROLOGUE: &str = "\
/* SPDX-License-Identifier: MIT */
/*
 * The control ABIs of the Tunic driver. Generated from the crate tunic-ioctl; do not edit:
 *     cargo run -p tunic-ioctl --example header
 *
 * Integers are little-endian, sizes are multiples of 8. The crate's documentation says what the
 * records mean together.
 */
#ifndef TUNIC_H
#define TUNIC_H

#include <stddef.h>
#include <stdint.h>

#if defined(__cplusplus)
#define TUNIC_ALIGN8 alignas(8)
#define TUNIC_ALIGN4 alignas(4)
#define TUNIC_ASSERT(condition, text) static_assert(condition, text)
#elif defined(_MSC_VER) && !defined(__clang__)
#define TUNIC_ALIGN8 __declspec(align(8))
#define TUNIC_ALIGN4 __declspec(align(4))
#define TUNIC_ASSERT(condition, text) static_assert(condition, text)
#else
#define TUNIC_ALIGN8 _Alignas(8)
#define TUNIC_ALIGN4 _Alignas(4)
#define TUNIC_ASSERT(condition, text) _Static_assert(condition, text)
#endif

/* A SOCKADDR_INET of ws2ipdef.h, as bytes. */
typedef struct TUNIC_SOCKADDR {
    TUNIC_ALIGN4 uint8_t bytes[28];
} TUNIC_SOCKADDR;
";

const EPILOGUE: &str = "\n#endif\n";

const NATIVE_RECORDS: &[Layout] = &[
    native::Header::LAYOUT,
    native::Version::LAYOUT,
    native::Reply::LAYOUT,
    native::Select::LAYOUT,
    native::Adapter::LAYOUT,
    native::Statistics::LAYOUT,
    native::SetState::LAYOUT,
    native::Interface::LAYOUT,
    native::Peer::LAYOUT,
    native::Route::LAYOUT,
    native::Event::LAYOUT,
    native::SetTimerScale::LAYOUT,
    native::Routes::LAYOUT,
    channel::SetMode::LAYOUT,
    channel::Listen::LAYOUT,
    channel::NewPeer::LAYOUT,
    channel::SelectPeer::LAYOUT,
    channel::SetPeer::LAYOUT,
    channel::Key::LAYOUT,
    channel::Route::LAYOUT,
    channel::Datagram::LAYOUT,
    channel::Info::LAYOUT,
    channel::PeerInfo::LAYOUT,
    channel::Event::LAYOUT,
];

const WIREGUARD_NT_RECORDS: &[Layout] = &[
    wireguard_nt::Interface::LAYOUT,
    wireguard_nt::Peer::LAYOUT,
    wireguard_nt::AllowedIp::LAYOUT,
    wireguard_nt::LogEntry::LAYOUT,
];

const OVPN_DCO_RECORDS: &[Layout] = &[
    ovpn_dco::NewPeer::LAYOUT,
    ovpn_dco::MpNewPeer::LAYOUT,
    ovpn_dco::Stats::LAYOUT,
    ovpn_dco::PeerStats::LAYOUT,
    ovpn_dco::KeyDirection::LAYOUT,
    ovpn_dco::CryptoData::LAYOUT,
    ovpn_dco::CryptoDataV2::LAYOUT,
    ovpn_dco::SetPeer::LAYOUT,
    ovpn_dco::MpSetPeer::LAYOUT,
    ovpn_dco::Version::LAYOUT,
    ovpn_dco::MpStartVpn::LAYOUT,
    ovpn_dco::NotifyEvent::LAYOUT,
    ovpn_dco::MpIroute::LAYOUT,
];

/// Names and values of constants; the C name is the Rust name with a prefix.
macro_rules! list {
    ($module:ident: $($name:ident)*) => {
        &[$( (stringify!($name), $module::$name as u64), )*]
    };
}

/// Names and values of flags, under a prefix.
macro_rules! flags {
    ($prefix:literal, $module:ident::$flags:ident: $($name:ident)*) => {
        &[$( (concat!($prefix, stringify!($name)), $module::$flags::$name.bits() as u64), )*]
    };
}

const NATIVE_CONSTANTS: &[&[(&str, u64)]] = &[
    list!(native: VERSION),
    list!(native:
        IOCTL_QUERY_VERSION IOCTL_LIST_ADAPTERS IOCTL_QUERY_ADAPTER IOCTL_QUERY_STATISTICS
        IOCTL_SET_STATE IOCTL_QUERY_CONFIGURATION IOCTL_SET_CONFIGURATION IOCTL_READ_EVENT
        IOCTL_SET_TIMER_SCALE IOCTL_QUERY_ROUTES),
    list!(channel:
        IOCTL_CHANNEL_SET_MODE IOCTL_CHANNEL_LISTEN IOCTL_CHANNEL_NEW_PEER IOCTL_CHANNEL_DELETE_PEER
        IOCTL_CHANNEL_SET_PEER IOCTL_CHANNEL_INSTALL_KEY IOCTL_CHANNEL_SWAP_KEYS
        IOCTL_CHANNEL_DELETE_KEY IOCTL_CHANNEL_ADD_ROUTE IOCTL_CHANNEL_REMOVE_ROUTE
        IOCTL_CHANNEL_START IOCTL_CHANNEL_STOP IOCTL_CHANNEL_OWN IOCTL_CHANNEL_QUERY
        IOCTL_CHANNEL_READ_EVENT IOCTL_CHANNEL_SEND_CONTROL IOCTL_CHANNEL_READ_CONTROL),
    &[
        ("KIND_VERSION", Kind::Version as u64),
        ("KIND_REPLY", Kind::Reply as u64),
        ("KIND_SELECT", Kind::Select as u64),
        ("KIND_ADAPTER", Kind::Adapter as u64),
        ("KIND_STATISTICS", Kind::Statistics as u64),
        ("KIND_SET_STATE", Kind::SetState as u64),
        ("KIND_INTERFACE", Kind::Interface as u64),
        ("KIND_PEER", Kind::Peer as u64),
        ("KIND_ROUTE", Kind::Route as u64),
        ("KIND_EVENT", Kind::Event as u64),
        ("KIND_SET_TIMER_SCALE", Kind::SetTimerScale as u64),
        ("KIND_CHANNEL_SET_MODE", Kind::ChannelSetMode as u64),
        ("KIND_CHANNEL_LISTEN", Kind::ChannelListen as u64),
        ("KIND_CHANNEL_NEW_PEER", Kind::ChannelNewPeer as u64),
        ("KIND_CHANNEL_SELECT_PEER", Kind::ChannelSelectPeer as u64),
        ("KIND_CHANNEL_SET_PEER", Kind::ChannelSetPeer as u64),
        ("KIND_CHANNEL_KEY", Kind::ChannelKey as u64),
        ("KIND_CHANNEL_ROUTE", Kind::ChannelRoute as u64),
        ("KIND_CHANNEL_DATAGRAM", Kind::ChannelDatagram as u64),
        ("KIND_CHANNEL_INFO", Kind::ChannelInfo as u64),
        ("KIND_CHANNEL_PEER_INFO", Kind::ChannelPeerInfo as u64),
        ("KIND_CHANNEL_EVENT", Kind::ChannelEvent as u64),
        ("KIND_ROUTES", Kind::Routes as u64),
    ],
    flags!("INTERFACE_", native::InterfaceFlags:
        HAS_PRIVATE_KEY CLEAR_PRIVATE_KEY HAS_LISTEN_PORT REPLACE_PEERS HAS_PUBLIC_KEY),
    flags!("PEER_", native::PeerFlags:
        HAS_PRESHARED_KEY CLEAR_PRESHARED_KEY HAS_PERSISTENT_KEEPALIVE HAS_ENDPOINT REPLACE_ROUTES
        REMOVE UPDATE_ONLY),
    flags!("ROUTE_", native::RouteFlags: REMOVE),
    &[
        ("PROTOCOL_WIREGUARD", protocol::WIREGUARD.number as u64),
        ("PROTOCOL_OPENVPN", protocol::OPENVPN.number as u64),
        ("PROTOCOL_VENDOR_FIRST", protocol::VENDOR_FIRST as u64),
        ("PROTOCOL_VENDOR_LAST", protocol::VENDOR_LAST as u64),
    ],
    &[
        ("CAPABILITY_WIREGUARD", protocol::WIREGUARD.capability),
        ("CAPABILITY_EVENTS", native::CAPABILITY_EVENTS),
        ("CAPABILITY_TIMER_SCALE", native::CAPABILITY_TIMER_SCALE),
        ("CAPABILITY_OPENVPN", protocol::OPENVPN.capability),
    ],
    &[
        ("EVENT_HANDSHAKE_COMPLETED", native::reply::EventKind::HandshakeCompleted as u64),
        ("EVENT_HANDSHAKE_ABANDONED", native::reply::EventKind::HandshakeAbandoned as u64),
        ("EVENT_ENDPOINT_MOVED", native::reply::EventKind::EndpointMoved as u64),
    ],
    list!(channel: CHANNEL_ONLY_PEER),
    flags!("CHANNEL_LISTEN_", channel::ListenFlags: V6_ONLY),
    flags!("CHANNEL_PEER_", channel::NewPeerFlags: HAS_TRANSMIT_ID),
    flags!("CHANNEL_SET_PEER_", channel::SetPeerFlags: HAS_KEEPALIVE HAS_TIMEOUT HAS_MSS),
    flags!("CHANNEL_KEY_", channel::KeyFlags: EPOCH HAS_TRANSMIT_ID),
    &[
        ("CHANNEL_SUITE_AES_128_GCM", Suite::Aes128Gcm as u64),
        ("CHANNEL_SUITE_AES_192_GCM", Suite::Aes192Gcm as u64),
        ("CHANNEL_SUITE_AES_256_GCM", Suite::Aes256Gcm as u64),
        ("CHANNEL_SUITE_CHACHA20_POLY1305", Suite::ChaCha20Poly1305 as u64),
    ],
    list!(channel:
        CHANNEL_EVENT_KEY_WANTED CHANNEL_EVENT_USAGE_LIMIT_NEAR CHANNEL_EVENT_TIMED_OUT
        CHANNEL_EVENT_FLOATED CHANNEL_EVENT_DELETED),
    &[
        ("CHANNEL_DELETED_TEARDOWN", DeleteReason::Teardown as u64),
        ("CHANNEL_DELETED_USERSPACE", DeleteReason::Userspace as u64),
        ("CHANNEL_DELETED_EXPIRED", DeleteReason::Expired as u64),
        ("CHANNEL_DELETED_TRANSPORT_ERROR", DeleteReason::TransportError as u64),
        ("CHANNEL_DELETED_TRANSPORT_DISCONNECT", DeleteReason::TransportDisconnect as u64),
    ],
];

const WIREGUARD_NT_CONSTANTS: &[&[(&str, u64)]] = &[
    list!(wireguard_nt: IOCTL_GET IOCTL_SET IOCTL_SET_ADAPTER_STATE IOCTL_READ_LOG_LINE),
    flags!("INTERFACE_", wireguard_nt::InterfaceFlags:
        HAS_PUBLIC_KEY HAS_PRIVATE_KEY HAS_LISTEN_PORT REPLACE_PEERS),
    flags!("PEER_", wireguard_nt::PeerFlags:
        HAS_PUBLIC_KEY HAS_PRESHARED_KEY HAS_PERSISTENT_KEEPALIVE HAS_ENDPOINT HAS_PROTOCOL_VERSION
        REPLACE_ALLOWED_IPS REMOVE UPDATE_ONLY),
    flags!("ALLOWED_IP_", wireguard_nt::AllowedIpFlags: REMOVE),
    list!(wireguard_nt: STATE_DOWN STATE_UP STATE_QUERY),
];

const OVPN_DCO_CONSTANTS: &[&[(&str, u64)]] = &[
    list!(ovpn_dco:
        IOCTL_NEW_PEER IOCTL_GET_STATS IOCTL_NEW_KEY IOCTL_SWAP_KEYS IOCTL_SET_PEER IOCTL_START_VPN
        IOCTL_DEL_PEER IOCTL_GET_VERSION IOCTL_NEW_KEY_V2 IOCTL_SET_MODE IOCTL_MP_START_VPN
        IOCTL_MP_NEW_PEER IOCTL_MP_SET_PEER IOCTL_NOTIFY_EVENT IOCTL_MP_DEL_PEER
        IOCTL_MP_SWAP_KEYS IOCTL_MP_ADD_IROUTE IOCTL_MP_DEL_IROUTE IOCTL_GET_PEER_STATS),
    list!(ovpn_dco: CIPHER_AES_GCM CIPHER_CHACHA20_POLY1305),
    list!(ovpn_dco: OPTION_EPOCH),
    list!(ovpn_dco: NOTIFY_DEL_PEER NOTIFY_SWAP_KEYS NOTIFY_FLOAT_PEER),
];

fn constants(out: &mut impl fmt::Write, prefix: &str, groups: &[&[(&str, u64)]]) -> fmt::Result {
    for group in groups {
        for (name, value) in *group {
            writeln!(out, "#define {prefix}{name} {value:#x}u")?;
        }
        out.write_char('\n')?;
    }
    Ok(())
}

fn record(out: &mut impl fmt::Write, layout: &Layout) -> fmt::Result {
    let Layout { c_name, size_bytes, is_aligned_to_8, fields, doc } = layout;
    writeln!(out, "\n/*{doc} */\ntypedef struct {c_name} {{")?;
    for (index, field) in fields.iter().enumerate() {
        let align = if index == 0 && *is_aligned_to_8 { "TUNIC_ALIGN8 " } else { "" };
        let (c_type, count) = c_type(field.rust_type);
        write!(out, "    {align}{c_type} {}", field.name)?;
        if let Some(count) = count {
            write!(out, "[{count}]")?;
        }
        writeln!(out, "; /*{} */", field.doc)?;
    }
    writeln!(out, "}} {c_name};")?;
    writeln!(out, "TUNIC_ASSERT(sizeof({c_name}) == {size_bytes}, \"{c_name}\");")?;
    for field in *fields {
        let (name, offset) = (field.name, field.offset_bytes);
        writeln!(
            out,
            "TUNIC_ASSERT(offsetof({c_name}, {name}) == {offset}, \"{c_name}.{name}\");"
        )?;
    }
    Ok(())
}

/// The C type, and the number of elements of an array.
fn c_type(rust_type: &'static str) -> (&'static str, Option<&'static str>) {
    match rust_type {
        "u8" => ("uint8_t", None),
        "u16" => ("uint16_t", None),
        "u32" => ("uint32_t", None),
        "u64" => ("uint64_t", None),
        "i32" => ("int32_t", None),
        "i64" => ("int64_t", None),
        "Header" => ("TUNIC_HEADER", None),
        "SockaddrInet" => ("TUNIC_SOCKADDR", None),
        "KeyDirection" => ("TUNIC_OVPN_KEY_DIRECTION", None),
        "CryptoData" => ("TUNIC_OVPN_CRYPTO_DATA", None),
        array => {
            let count = array.strip_prefix("[u8; ").and_then(|rest| rest.strip_suffix(']'));
            ("uint8_t", count)
        }
    }
}
