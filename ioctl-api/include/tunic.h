/* SPDX-License-Identifier: MIT */
/*
 * The control ABIs of the Tunic driver. Generated from the crate tunic-ioctl; do not edit:
 *     cargo run -p tunic-ioctl --example header
 *
 * Integers are little-endian, sizes are multiples of 8. See the crate for what the records mean together.
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

/* The native ABI */

#define TUNIC_VERSION 0x1u

#define TUNIC_IOCTL_QUERY_VERSION 0x9c716000u
#define TUNIC_IOCTL_LIST_ADAPTERS 0x9c716004u
#define TUNIC_IOCTL_QUERY_ADAPTER 0x9c716008u
#define TUNIC_IOCTL_QUERY_STATISTICS 0x9c71600cu
#define TUNIC_IOCTL_SET_STATE 0x9c71e010u
#define TUNIC_IOCTL_QUERY_CONFIGURATION 0x9c71e014u
#define TUNIC_IOCTL_SET_CONFIGURATION 0x9c71e018u
#define TUNIC_IOCTL_READ_EVENT 0x9c71601cu
#define TUNIC_IOCTL_SET_TIMER_SCALE 0x9c71e020u

#define TUNIC_KIND_VERSION 0x1u
#define TUNIC_KIND_REPLY 0x2u
#define TUNIC_KIND_SELECT 0x3u
#define TUNIC_KIND_ADAPTER 0x4u
#define TUNIC_KIND_STATISTICS 0x5u
#define TUNIC_KIND_SET_STATE 0x6u
#define TUNIC_KIND_INTERFACE 0x7u
#define TUNIC_KIND_PEER 0x8u
#define TUNIC_KIND_ROUTE 0x9u
#define TUNIC_KIND_EVENT 0xau
#define TUNIC_KIND_SET_TIMER_SCALE 0xbu

#define TUNIC_INTERFACE_HAS_PRIVATE_KEY 0x1u
#define TUNIC_INTERFACE_CLEAR_PRIVATE_KEY 0x2u
#define TUNIC_INTERFACE_HAS_LISTEN_PORT 0x4u
#define TUNIC_INTERFACE_REPLACE_PEERS 0x8u
#define TUNIC_INTERFACE_HAS_PUBLIC_KEY 0x10u

#define TUNIC_PEER_HAS_PRESHARED_KEY 0x1u
#define TUNIC_PEER_CLEAR_PRESHARED_KEY 0x2u
#define TUNIC_PEER_HAS_PERSISTENT_KEEPALIVE 0x4u
#define TUNIC_PEER_HAS_ENDPOINT 0x8u
#define TUNIC_PEER_REPLACE_ROUTES 0x10u
#define TUNIC_PEER_REMOVE 0x20u
#define TUNIC_PEER_UPDATE_ONLY 0x40u

#define TUNIC_ROUTE_REMOVE 0x1u

#define TUNIC_PROTOCOL_WIREGUARD 0x1u

#define TUNIC_CAPABILITY_WIREGUARD 0x1u
#define TUNIC_CAPABILITY_EVENTS 0x2u
#define TUNIC_CAPABILITY_TIMER_SCALE 0x4u

#define TUNIC_EVENT_HANDSHAKE_COMPLETED 0x1u
#define TUNIC_EVENT_HANDSHAKE_ABANDONED 0x2u
#define TUNIC_EVENT_ENDPOINT_MOVED 0x3u

#define TUNIC_DISCARD_NOT_IP 0
#define TUNIC_DISCARD_NO_ROUTE 1
#define TUNIC_DISCARD_NO_ENDPOINT 2
#define TUNIC_DISCARD_QUEUE_FULL 3
#define TUNIC_DISCARD_QUEUED_TOO_LONG 4
#define TUNIC_DISCARD_NO_KEY 5
#define TUNIC_DISCARD_DOWN 6
#define TUNIC_DISCARD_NO_MEMORY 7
#define TUNIC_DISCARD_MALFORMED 8
#define TUNIC_DISCARD_UNKNOWN_CONTEXT 9
#define TUNIC_DISCARD_FORGED 10
#define TUNIC_DISCARD_REPLAYED 11
#define TUNIC_DISCARD_SOURCE_NOT_ALLOWED 12
#define TUNIC_DISCARD_BAD_AUTHENTICATOR 13
#define TUNIC_DISCARD_COOKIE_REQUIRED 14
#define TUNIC_DISCARD_RATE_LIMITED 15
#define TUNIC_DISCARD_BAD_HANDSHAKE 16
#define TUNIC_DISCARD_SEND_FAILED 17

/* The start of every record. */
typedef struct TUNIC_HEADER {
    TUNIC_ALIGN8 uint32_t size; /* Bytes of the record, this header included: a multiple of 8. */
    uint16_t version; /* TUNIC_VERSION. */
    uint16_t kind; /* TUNIC_KIND_*. */
} TUNIC_HEADER;
TUNIC_ASSERT(sizeof(TUNIC_HEADER) == 8, "TUNIC_HEADER");
TUNIC_ASSERT(offsetof(TUNIC_HEADER, size) == 0, "TUNIC_HEADER.size");
TUNIC_ASSERT(offsetof(TUNIC_HEADER, version) == 4, "TUNIC_HEADER.version");
TUNIC_ASSERT(offsetof(TUNIC_HEADER, kind) == 6, "TUNIC_HEADER.kind");

/* What the driver is. */
typedef struct TUNIC_VERSION_INFO {
    TUNIC_ALIGN8 TUNIC_HEADER header; /* Kind VERSION. */
    uint32_t abi_version; /* Newest version of this ABI that the driver knows. */
    uint32_t driver_version; /* Driver version: major in the high half, minor in the low. */
    uint64_t capabilities; /* TUNIC_CAPABILITY_* bits. */
} TUNIC_VERSION_INFO;
TUNIC_ASSERT(sizeof(TUNIC_VERSION_INFO) == 24, "TUNIC_VERSION_INFO");
TUNIC_ASSERT(offsetof(TUNIC_VERSION_INFO, header) == 0, "TUNIC_VERSION_INFO.header");
TUNIC_ASSERT(offsetof(TUNIC_VERSION_INFO, abi_version) == 8, "TUNIC_VERSION_INFO.abi_version");
TUNIC_ASSERT(offsetof(TUNIC_VERSION_INFO, driver_version) == 12, "TUNIC_VERSION_INFO.driver_version");
TUNIC_ASSERT(offsetof(TUNIC_VERSION_INFO, capabilities) == 16, "TUNIC_VERSION_INFO.capabilities");

/* The start of an answer of several records. */
typedef struct TUNIC_REPLY {
    TUNIC_ALIGN8 TUNIC_HEADER header; /* Kind REPLY. */
    uint64_t required_bytes; /* Bytes that the whole answer takes, this record included, even where less was returned. */
} TUNIC_REPLY;
TUNIC_ASSERT(sizeof(TUNIC_REPLY) == 16, "TUNIC_REPLY");
TUNIC_ASSERT(offsetof(TUNIC_REPLY, header) == 0, "TUNIC_REPLY.header");
TUNIC_ASSERT(offsetof(TUNIC_REPLY, required_bytes) == 8, "TUNIC_REPLY.required_bytes");

/* Names an adapter. */
typedef struct TUNIC_SELECT {
    TUNIC_ALIGN8 TUNIC_HEADER header; /* Kind SELECT. */
    uint8_t adapter[16]; /* Its GUID; zeroes for that of the device. */
} TUNIC_SELECT;
TUNIC_ASSERT(sizeof(TUNIC_SELECT) == 24, "TUNIC_SELECT");
TUNIC_ASSERT(offsetof(TUNIC_SELECT, header) == 0, "TUNIC_SELECT.header");
TUNIC_ASSERT(offsetof(TUNIC_SELECT, adapter) == 8, "TUNIC_SELECT.adapter");

/* An adapter. */
typedef struct TUNIC_ADAPTER {
    TUNIC_ALIGN8 TUNIC_HEADER header; /* Kind ADAPTER. */
    uint8_t adapter[16]; /* Its GUID. */
    uint64_t luid; /* Its NET_LUID. */
    uint32_t mtu; /* MTU in bytes. */
    uint32_t protocol; /* TUNIC_PROTOCOL_*. */
    uint32_t state; /* 0 down, 1 up. */
    uint32_t link_state; /* 0 disconnected, 1 connected. */
    uint16_t listen_port; /* Bound UDP port, or the one asked for; 0 for none. */
    uint16_t name_bytes; /* Bytes of the name. */
    uint32_t peers_count; /* Peers. */
    uint8_t name[256]; /* Name, UTF-8. */
} TUNIC_ADAPTER;
TUNIC_ASSERT(sizeof(TUNIC_ADAPTER) == 312, "TUNIC_ADAPTER");
TUNIC_ASSERT(offsetof(TUNIC_ADAPTER, header) == 0, "TUNIC_ADAPTER.header");
TUNIC_ASSERT(offsetof(TUNIC_ADAPTER, adapter) == 8, "TUNIC_ADAPTER.adapter");
TUNIC_ASSERT(offsetof(TUNIC_ADAPTER, luid) == 24, "TUNIC_ADAPTER.luid");
TUNIC_ASSERT(offsetof(TUNIC_ADAPTER, mtu) == 32, "TUNIC_ADAPTER.mtu");
TUNIC_ASSERT(offsetof(TUNIC_ADAPTER, protocol) == 36, "TUNIC_ADAPTER.protocol");
TUNIC_ASSERT(offsetof(TUNIC_ADAPTER, state) == 40, "TUNIC_ADAPTER.state");
TUNIC_ASSERT(offsetof(TUNIC_ADAPTER, link_state) == 44, "TUNIC_ADAPTER.link_state");
TUNIC_ASSERT(offsetof(TUNIC_ADAPTER, listen_port) == 48, "TUNIC_ADAPTER.listen_port");
TUNIC_ASSERT(offsetof(TUNIC_ADAPTER, name_bytes) == 50, "TUNIC_ADAPTER.name_bytes");
TUNIC_ASSERT(offsetof(TUNIC_ADAPTER, peers_count) == 52, "TUNIC_ADAPTER.peers_count");
TUNIC_ASSERT(offsetof(TUNIC_ADAPTER, name) == 56, "TUNIC_ADAPTER.name");

/* Counters of an adapter; discard_count 64-bit counters follow within the record. */
typedef struct TUNIC_STATISTICS {
    TUNIC_ALIGN8 TUNIC_HEADER header; /* Kind STATISTICS. */
    uint8_t adapter[16]; /* Its GUID. */
    uint64_t tx_packets; /* Packets to peers. */
    uint64_t tx_bytes; /* Their bytes. */
    uint64_t rx_packets; /* Packets from peers. */
    uint64_t rx_bytes; /* Their bytes. */
    uint32_t discard_count; /* Counters that follow: TUNIC_DISCARD_*. */
    uint32_t reserved; /* Zero. */
} TUNIC_STATISTICS;
TUNIC_ASSERT(sizeof(TUNIC_STATISTICS) == 64, "TUNIC_STATISTICS");
TUNIC_ASSERT(offsetof(TUNIC_STATISTICS, header) == 0, "TUNIC_STATISTICS.header");
TUNIC_ASSERT(offsetof(TUNIC_STATISTICS, adapter) == 8, "TUNIC_STATISTICS.adapter");
TUNIC_ASSERT(offsetof(TUNIC_STATISTICS, tx_packets) == 24, "TUNIC_STATISTICS.tx_packets");
TUNIC_ASSERT(offsetof(TUNIC_STATISTICS, tx_bytes) == 32, "TUNIC_STATISTICS.tx_bytes");
TUNIC_ASSERT(offsetof(TUNIC_STATISTICS, rx_packets) == 40, "TUNIC_STATISTICS.rx_packets");
TUNIC_ASSERT(offsetof(TUNIC_STATISTICS, rx_bytes) == 48, "TUNIC_STATISTICS.rx_bytes");
TUNIC_ASSERT(offsetof(TUNIC_STATISTICS, discard_count) == 56, "TUNIC_STATISTICS.discard_count");
TUNIC_ASSERT(offsetof(TUNIC_STATISTICS, reserved) == 60, "TUNIC_STATISTICS.reserved");

/* Brings an adapter up or down. */
typedef struct TUNIC_SET_STATE {
    TUNIC_ALIGN8 TUNIC_HEADER header; /* Kind SET_STATE. */
    uint8_t adapter[16]; /* Its GUID; zeroes for that of the device. */
    uint32_t state; /* 0 down, 1 up. */
    uint32_t reserved; /* Zero. */
} TUNIC_SET_STATE;
TUNIC_ASSERT(sizeof(TUNIC_SET_STATE) == 32, "TUNIC_SET_STATE");
TUNIC_ASSERT(offsetof(TUNIC_SET_STATE, header) == 0, "TUNIC_SET_STATE.header");
TUNIC_ASSERT(offsetof(TUNIC_SET_STATE, adapter) == 8, "TUNIC_SET_STATE.adapter");
TUNIC_ASSERT(offsetof(TUNIC_SET_STATE, state) == 24, "TUNIC_SET_STATE.state");
TUNIC_ASSERT(offsetof(TUNIC_SET_STATE, reserved) == 28, "TUNIC_SET_STATE.reserved");

/* An adapter's own configuration. */
typedef struct TUNIC_INTERFACE {
    TUNIC_ALIGN8 TUNIC_HEADER header; /* Kind INTERFACE. */
    uint8_t adapter[16]; /* Its GUID; zeroes for that of the device. */
    uint32_t flags; /* TUNIC_INTERFACE_* bits. */
    uint16_t listen_port; /* UDP port, host byte order; 0 lets the system choose. */
    uint16_t reserved; /* Zero. */
    uint8_t private_key[32]; /* Private key. */
    uint8_t public_key[32]; /* Public key; output only. */
} TUNIC_INTERFACE;
TUNIC_ASSERT(sizeof(TUNIC_INTERFACE) == 96, "TUNIC_INTERFACE");
TUNIC_ASSERT(offsetof(TUNIC_INTERFACE, header) == 0, "TUNIC_INTERFACE.header");
TUNIC_ASSERT(offsetof(TUNIC_INTERFACE, adapter) == 8, "TUNIC_INTERFACE.adapter");
TUNIC_ASSERT(offsetof(TUNIC_INTERFACE, flags) == 24, "TUNIC_INTERFACE.flags");
TUNIC_ASSERT(offsetof(TUNIC_INTERFACE, listen_port) == 28, "TUNIC_INTERFACE.listen_port");
TUNIC_ASSERT(offsetof(TUNIC_INTERFACE, reserved) == 30, "TUNIC_INTERFACE.reserved");
TUNIC_ASSERT(offsetof(TUNIC_INTERFACE, private_key) == 32, "TUNIC_INTERFACE.private_key");
TUNIC_ASSERT(offsetof(TUNIC_INTERFACE, public_key) == 64, "TUNIC_INTERFACE.public_key");

/* A peer. */
typedef struct TUNIC_PEER {
    TUNIC_ALIGN8 TUNIC_HEADER header; /* Kind PEER. */
    uint32_t flags; /* TUNIC_PEER_* bits. */
    uint16_t persistent_keepalive; /* Seconds; 0 is off. */
    uint16_t reserved; /* Zero. */
    uint8_t public_key[32]; /* Public key: which peer. */
    uint8_t preshared_key[32]; /* Preshared key. */
    TUNIC_SOCKADDR endpoint; /* SOCKADDR_INET. */
    uint32_t reserved2; /* Zero. */
    uint64_t tx_bytes; /* Bytes sent; output only. */
    uint64_t rx_bytes; /* Bytes received; output only. */
    uint64_t last_handshake; /* 100 ns units since 1601-01-01 UTC, 0 for never; output only. */
} TUNIC_PEER;
TUNIC_ASSERT(sizeof(TUNIC_PEER) == 136, "TUNIC_PEER");
TUNIC_ASSERT(offsetof(TUNIC_PEER, header) == 0, "TUNIC_PEER.header");
TUNIC_ASSERT(offsetof(TUNIC_PEER, flags) == 8, "TUNIC_PEER.flags");
TUNIC_ASSERT(offsetof(TUNIC_PEER, persistent_keepalive) == 12, "TUNIC_PEER.persistent_keepalive");
TUNIC_ASSERT(offsetof(TUNIC_PEER, reserved) == 14, "TUNIC_PEER.reserved");
TUNIC_ASSERT(offsetof(TUNIC_PEER, public_key) == 16, "TUNIC_PEER.public_key");
TUNIC_ASSERT(offsetof(TUNIC_PEER, preshared_key) == 48, "TUNIC_PEER.preshared_key");
TUNIC_ASSERT(offsetof(TUNIC_PEER, endpoint) == 80, "TUNIC_PEER.endpoint");
TUNIC_ASSERT(offsetof(TUNIC_PEER, reserved2) == 108, "TUNIC_PEER.reserved2");
TUNIC_ASSERT(offsetof(TUNIC_PEER, tx_bytes) == 112, "TUNIC_PEER.tx_bytes");
TUNIC_ASSERT(offsetof(TUNIC_PEER, rx_bytes) == 120, "TUNIC_PEER.rx_bytes");
TUNIC_ASSERT(offsetof(TUNIC_PEER, last_handshake) == 128, "TUNIC_PEER.last_handshake");

/* A route to the peer before it: an allowed IP. */
typedef struct TUNIC_ROUTE {
    TUNIC_ALIGN8 TUNIC_HEADER header; /* Kind ROUTE. */
    uint8_t address[16]; /* 4 or 16 bytes, network byte order. */
    uint16_t address_family; /* AF_INET (2) or AF_INET6 (23). */
    uint8_t prefix_length; /* Prefix length. */
    uint8_t reserved; /* Zero. */
    uint32_t flags; /* TUNIC_ROUTE_* bits. */
} TUNIC_ROUTE;
TUNIC_ASSERT(sizeof(TUNIC_ROUTE) == 32, "TUNIC_ROUTE");
TUNIC_ASSERT(offsetof(TUNIC_ROUTE, header) == 0, "TUNIC_ROUTE.header");
TUNIC_ASSERT(offsetof(TUNIC_ROUTE, address) == 8, "TUNIC_ROUTE.address");
TUNIC_ASSERT(offsetof(TUNIC_ROUTE, address_family) == 24, "TUNIC_ROUTE.address_family");
TUNIC_ASSERT(offsetof(TUNIC_ROUTE, prefix_length) == 26, "TUNIC_ROUTE.prefix_length");
TUNIC_ASSERT(offsetof(TUNIC_ROUTE, reserved) == 27, "TUNIC_ROUTE.reserved");
TUNIC_ASSERT(offsetof(TUNIC_ROUTE, flags) == 28, "TUNIC_ROUTE.flags");

/* Something that happened. */
typedef struct TUNIC_EVENT {
    TUNIC_ALIGN8 TUNIC_HEADER header; /* Kind EVENT. */
    uint8_t adapter[16]; /* Adapter's GUID. */
    uint64_t sequence; /* Counts the adapter's events, so that lost ones show. */
    uint64_t time; /* 100 ns units since 1601-01-01 UTC. */
    uint32_t event; /* TUNIC_EVENT_*. */
    uint32_t reserved; /* Zero. */
    uint8_t public_key[32]; /* Peer's public key. */
    TUNIC_SOCKADDR endpoint; /* SOCKADDR_INET, zeroes for none. */
    uint32_t reserved2; /* Zero. */
} TUNIC_EVENT;
TUNIC_ASSERT(sizeof(TUNIC_EVENT) == 112, "TUNIC_EVENT");
TUNIC_ASSERT(offsetof(TUNIC_EVENT, header) == 0, "TUNIC_EVENT.header");
TUNIC_ASSERT(offsetof(TUNIC_EVENT, adapter) == 8, "TUNIC_EVENT.adapter");
TUNIC_ASSERT(offsetof(TUNIC_EVENT, sequence) == 24, "TUNIC_EVENT.sequence");
TUNIC_ASSERT(offsetof(TUNIC_EVENT, time) == 32, "TUNIC_EVENT.time");
TUNIC_ASSERT(offsetof(TUNIC_EVENT, event) == 40, "TUNIC_EVENT.event");
TUNIC_ASSERT(offsetof(TUNIC_EVENT, reserved) == 44, "TUNIC_EVENT.reserved");
TUNIC_ASSERT(offsetof(TUNIC_EVENT, public_key) == 48, "TUNIC_EVENT.public_key");
TUNIC_ASSERT(offsetof(TUNIC_EVENT, endpoint) == 80, "TUNIC_EVENT.endpoint");
TUNIC_ASSERT(offsetof(TUNIC_EVENT, reserved2) == 108, "TUNIC_EVENT.reserved2");

/* Scales the protocol's timers: a test knob that released drivers refuse. */
typedef struct TUNIC_SET_TIMER_SCALE {
    TUNIC_ALIGN8 TUNIC_HEADER header; /* Kind SET_TIMER_SCALE. */
    uint8_t adapter[16]; /* Its GUID; zeroes for that of the device. */
    uint32_t permille; /* Thousandths of the real durations, 1 to 1000. */
    uint32_t reserved; /* Zero. */
} TUNIC_SET_TIMER_SCALE;
TUNIC_ASSERT(sizeof(TUNIC_SET_TIMER_SCALE) == 32, "TUNIC_SET_TIMER_SCALE");
TUNIC_ASSERT(offsetof(TUNIC_SET_TIMER_SCALE, header) == 0, "TUNIC_SET_TIMER_SCALE.header");
TUNIC_ASSERT(offsetof(TUNIC_SET_TIMER_SCALE, adapter) == 8, "TUNIC_SET_TIMER_SCALE.adapter");
TUNIC_ASSERT(offsetof(TUNIC_SET_TIMER_SCALE, permille) == 24, "TUNIC_SET_TIMER_SCALE.permille");
TUNIC_ASSERT(offsetof(TUNIC_SET_TIMER_SCALE, reserved) == 28, "TUNIC_SET_TIMER_SCALE.reserved");

/* The ABI of WireGuardNT */

#define TUNIC_WG_IOCTL_GET 0xb098c506u
#define TUNIC_WG_IOCTL_SET 0xb098c509u
#define TUNIC_WG_IOCTL_SET_ADAPTER_STATE 0xb098c50cu
#define TUNIC_WG_IOCTL_READ_LOG_LINE 0xb098c510u

#define TUNIC_WG_INTERFACE_HAS_PUBLIC_KEY 0x1u
#define TUNIC_WG_INTERFACE_HAS_PRIVATE_KEY 0x2u
#define TUNIC_WG_INTERFACE_HAS_LISTEN_PORT 0x4u
#define TUNIC_WG_INTERFACE_REPLACE_PEERS 0x8u

#define TUNIC_WG_PEER_HAS_PUBLIC_KEY 0x1u
#define TUNIC_WG_PEER_HAS_PRESHARED_KEY 0x2u
#define TUNIC_WG_PEER_HAS_PERSISTENT_KEEPALIVE 0x4u
#define TUNIC_WG_PEER_HAS_ENDPOINT 0x8u
#define TUNIC_WG_PEER_HAS_PROTOCOL_VERSION 0x10u
#define TUNIC_WG_PEER_REPLACE_ALLOWED_IPS 0x20u
#define TUNIC_WG_PEER_REMOVE 0x40u
#define TUNIC_WG_PEER_UPDATE_ONLY 0x80u

#define TUNIC_WG_ALLOWED_IP_REMOVE 0x1u

#define TUNIC_WG_STATE_DOWN 0x0u
#define TUNIC_WG_STATE_UP 0x1u
#define TUNIC_WG_STATE_QUERY 0x2u


/* An interface. */
typedef struct TUNIC_WG_INTERFACE {
    TUNIC_ALIGN8 uint32_t flags; /* INTERFACE_* bits. */
    uint16_t listen_port; /* UDP port, host byte order. */
    uint8_t private_key[32]; /* Private key. */
    uint8_t public_key[32]; /* Public key; output only. */
    uint32_t peers_count; /* Peers that follow. */
} TUNIC_WG_INTERFACE;
TUNIC_ASSERT(sizeof(TUNIC_WG_INTERFACE) == 80, "TUNIC_WG_INTERFACE");
TUNIC_ASSERT(offsetof(TUNIC_WG_INTERFACE, flags) == 0, "TUNIC_WG_INTERFACE.flags");
TUNIC_ASSERT(offsetof(TUNIC_WG_INTERFACE, listen_port) == 4, "TUNIC_WG_INTERFACE.listen_port");
TUNIC_ASSERT(offsetof(TUNIC_WG_INTERFACE, private_key) == 6, "TUNIC_WG_INTERFACE.private_key");
TUNIC_ASSERT(offsetof(TUNIC_WG_INTERFACE, public_key) == 38, "TUNIC_WG_INTERFACE.public_key");
TUNIC_ASSERT(offsetof(TUNIC_WG_INTERFACE, peers_count) == 72, "TUNIC_WG_INTERFACE.peers_count");

/* A peer. */
typedef struct TUNIC_WG_PEER {
    TUNIC_ALIGN8 uint32_t flags; /* PEER_* bits. */
    uint32_t protocol_version; /* 0 for the latest, or 1. */
    uint8_t public_key[32]; /* Public key: which peer. */
    uint8_t preshared_key[32]; /* Preshared key; zeroes for none. */
    uint16_t persistent_keepalive; /* Seconds; 0 is off. */
    TUNIC_SOCKADDR endpoint; /* SOCKADDR_INET. */
    uint64_t tx_bytes; /* Bytes sent. */
    uint64_t rx_bytes; /* Bytes received. */
    uint64_t last_handshake; /* 100 ns units since 1601-01-01 UTC; 0 for never. */
    uint32_t allowed_ips_count; /* Allowed IPs that follow. */
} TUNIC_WG_PEER;
TUNIC_ASSERT(sizeof(TUNIC_WG_PEER) == 136, "TUNIC_WG_PEER");
TUNIC_ASSERT(offsetof(TUNIC_WG_PEER, flags) == 0, "TUNIC_WG_PEER.flags");
TUNIC_ASSERT(offsetof(TUNIC_WG_PEER, protocol_version) == 4, "TUNIC_WG_PEER.protocol_version");
TUNIC_ASSERT(offsetof(TUNIC_WG_PEER, public_key) == 8, "TUNIC_WG_PEER.public_key");
TUNIC_ASSERT(offsetof(TUNIC_WG_PEER, preshared_key) == 40, "TUNIC_WG_PEER.preshared_key");
TUNIC_ASSERT(offsetof(TUNIC_WG_PEER, persistent_keepalive) == 72, "TUNIC_WG_PEER.persistent_keepalive");
TUNIC_ASSERT(offsetof(TUNIC_WG_PEER, endpoint) == 76, "TUNIC_WG_PEER.endpoint");
TUNIC_ASSERT(offsetof(TUNIC_WG_PEER, tx_bytes) == 104, "TUNIC_WG_PEER.tx_bytes");
TUNIC_ASSERT(offsetof(TUNIC_WG_PEER, rx_bytes) == 112, "TUNIC_WG_PEER.rx_bytes");
TUNIC_ASSERT(offsetof(TUNIC_WG_PEER, last_handshake) == 120, "TUNIC_WG_PEER.last_handshake");
TUNIC_ASSERT(offsetof(TUNIC_WG_PEER, allowed_ips_count) == 128, "TUNIC_WG_PEER.allowed_ips_count");

/* An allowed IP. */
typedef struct TUNIC_WG_ALLOWED_IP {
    TUNIC_ALIGN8 uint8_t address[16]; /* 4 or 16 bytes, network byte order. */
    uint16_t address_family; /* AF_INET or AF_INET6. */
    uint8_t cidr; /* Prefix length. */
    uint32_t flags; /* ALLOWED_IP_* bits. */
} TUNIC_WG_ALLOWED_IP;
TUNIC_ASSERT(sizeof(TUNIC_WG_ALLOWED_IP) == 24, "TUNIC_WG_ALLOWED_IP");
TUNIC_ASSERT(offsetof(TUNIC_WG_ALLOWED_IP, address) == 0, "TUNIC_WG_ALLOWED_IP.address");
TUNIC_ASSERT(offsetof(TUNIC_WG_ALLOWED_IP, address_family) == 16, "TUNIC_WG_ALLOWED_IP.address_family");
TUNIC_ASSERT(offsetof(TUNIC_WG_ALLOWED_IP, cidr) == 18, "TUNIC_WG_ALLOWED_IP.cidr");
TUNIC_ASSERT(offsetof(TUNIC_WG_ALLOWED_IP, flags) == 20, "TUNIC_WG_ALLOWED_IP.flags");

/* A line of the log. */
typedef struct TUNIC_WG_LOG_ENTRY {
    TUNIC_ALIGN8 uint64_t timestamp; /* 100 ns units since 1601-01-01 UTC. */
    uint8_t message[120]; /* '1' error, '2' warning or '3' information, then the text, NUL-terminated. */
} TUNIC_WG_LOG_ENTRY;
TUNIC_ASSERT(sizeof(TUNIC_WG_LOG_ENTRY) == 128, "TUNIC_WG_LOG_ENTRY");
TUNIC_ASSERT(offsetof(TUNIC_WG_LOG_ENTRY, timestamp) == 0, "TUNIC_WG_LOG_ENTRY.timestamp");
TUNIC_ASSERT(offsetof(TUNIC_WG_LOG_ENTRY, message) == 8, "TUNIC_WG_LOG_ENTRY.message");

#endif
