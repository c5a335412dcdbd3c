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
#define TUNIC_IOCTL_QUERY_ROUTES 0x9c716024u

#define TUNIC_IOCTL_CHANNEL_SET_MODE 0x9c71e040u
#define TUNIC_IOCTL_CHANNEL_LISTEN 0x9c71e044u
#define TUNIC_IOCTL_CHANNEL_NEW_PEER 0x9c71e048u
#define TUNIC_IOCTL_CHANNEL_DELETE_PEER 0x9c71e04cu
#define TUNIC_IOCTL_CHANNEL_SET_PEER 0x9c71e050u
#define TUNIC_IOCTL_CHANNEL_INSTALL_KEY 0x9c71e054u
#define TUNIC_IOCTL_CHANNEL_SWAP_KEYS 0x9c71e058u
#define TUNIC_IOCTL_CHANNEL_DELETE_KEY 0x9c71e05cu
#define TUNIC_IOCTL_CHANNEL_ADD_ROUTE 0x9c71e060u
#define TUNIC_IOCTL_CHANNEL_REMOVE_ROUTE 0x9c71e064u
#define TUNIC_IOCTL_CHANNEL_START 0x9c71e068u
#define TUNIC_IOCTL_CHANNEL_STOP 0x9c71e06cu
#define TUNIC_IOCTL_CHANNEL_OWN 0x9c71e080u
#define TUNIC_IOCTL_CHANNEL_QUERY 0x9c716070u
#define TUNIC_IOCTL_CHANNEL_READ_EVENT 0x9c71e074u
#define TUNIC_IOCTL_CHANNEL_SEND_CONTROL 0x9c71e078u
#define TUNIC_IOCTL_CHANNEL_READ_CONTROL 0x9c71e07cu

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
#define TUNIC_KIND_CHANNEL_SET_MODE 0xcu
#define TUNIC_KIND_CHANNEL_LISTEN 0xdu
#define TUNIC_KIND_CHANNEL_NEW_PEER 0xeu
#define TUNIC_KIND_CHANNEL_SELECT_PEER 0xfu
#define TUNIC_KIND_CHANNEL_SET_PEER 0x10u
#define TUNIC_KIND_CHANNEL_KEY 0x11u
#define TUNIC_KIND_CHANNEL_ROUTE 0x12u
#define TUNIC_KIND_CHANNEL_DATAGRAM 0x13u
#define TUNIC_KIND_CHANNEL_INFO 0x14u
#define TUNIC_KIND_CHANNEL_PEER_INFO 0x15u
#define TUNIC_KIND_CHANNEL_EVENT 0x16u
#define TUNIC_KIND_ROUTES 0x17u

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
#define TUNIC_PROTOCOL_OPENVPN 0x2u
#define TUNIC_PROTOCOL_VENDOR_FIRST 0x80000000u
#define TUNIC_PROTOCOL_VENDOR_LAST 0xffffffffu

#define TUNIC_CAPABILITY_WIREGUARD 0x1u
#define TUNIC_CAPABILITY_EVENTS 0x2u
#define TUNIC_CAPABILITY_TIMER_SCALE 0x4u
#define TUNIC_CAPABILITY_OPENVPN 0x8u

#define TUNIC_EVENT_HANDSHAKE_COMPLETED 0x1u
#define TUNIC_EVENT_HANDSHAKE_ABANDONED 0x2u
#define TUNIC_EVENT_ENDPOINT_MOVED 0x3u

#define TUNIC_CHANNEL_ONLY_PEER 0xffffffffu

#define TUNIC_CHANNEL_LISTEN_V6_ONLY 0x1u

#define TUNIC_CHANNEL_PEER_HAS_TRANSMIT_ID 0x1u

#define TUNIC_CHANNEL_SET_PEER_HAS_KEEPALIVE 0x1u
#define TUNIC_CHANNEL_SET_PEER_HAS_TIMEOUT 0x2u
#define TUNIC_CHANNEL_SET_PEER_HAS_MSS 0x4u

#define TUNIC_CHANNEL_KEY_EPOCH 0x1u
#define TUNIC_CHANNEL_KEY_HAS_TRANSMIT_ID 0x2u

#define TUNIC_CHANNEL_SUITE_AES_128_GCM 0x1u
#define TUNIC_CHANNEL_SUITE_AES_192_GCM 0x2u
#define TUNIC_CHANNEL_SUITE_AES_256_GCM 0x3u
#define TUNIC_CHANNEL_SUITE_CHACHA20_POLY1305 0x4u

#define TUNIC_CHANNEL_EVENT_KEY_WANTED 0x1u
#define TUNIC_CHANNEL_EVENT_USAGE_LIMIT_NEAR 0x2u
#define TUNIC_CHANNEL_EVENT_TIMED_OUT 0x3u
#define TUNIC_CHANNEL_EVENT_FLOATED 0x4u
#define TUNIC_CHANNEL_EVENT_DELETED 0x5u

#define TUNIC_CHANNEL_DELETED_TEARDOWN 0x0u
#define TUNIC_CHANNEL_DELETED_USERSPACE 0x1u
#define TUNIC_CHANNEL_DELETED_EXPIRED 0x2u
#define TUNIC_CHANNEL_DELETED_TRANSPORT_ERROR 0x3u
#define TUNIC_CHANNEL_DELETED_TRANSPORT_DISCONNECT 0x4u

#define TUNIC_DISCARD_NOT_IP 0
#define TUNIC_DISCARD_NO_ROUTE 1
#define TUNIC_DISCARD_NO_ENDPOINT 2
#define TUNIC_DISCARD_NOT_ADMITTED 3
#define TUNIC_DISCARD_QUEUE_FULL 4
#define TUNIC_DISCARD_QUEUED_TOO_LONG 5
#define TUNIC_DISCARD_NO_KEY 6
#define TUNIC_DISCARD_DOWN 7
#define TUNIC_DISCARD_NO_MEMORY 8
#define TUNIC_DISCARD_MALFORMED 9
#define TUNIC_DISCARD_UNKNOWN_CONTEXT 10
#define TUNIC_DISCARD_FORGED 11
#define TUNIC_DISCARD_REPLAYED 12
#define TUNIC_DISCARD_SOURCE_NOT_ALLOWED 13
#define TUNIC_DISCARD_ADDRESS_TAKEN 14
#define TUNIC_DISCARD_FOREIGN_CONTROL 15
#define TUNIC_DISCARD_BAD_AUTHENTICATOR 16
#define TUNIC_DISCARD_COOKIE_REQUIRED 17
#define TUNIC_DISCARD_RATE_LIMITED 18
#define TUNIC_DISCARD_BAD_HANDSHAKE 19
#define TUNIC_DISCARD_SEND_FAILED 20
#define TUNIC_DISCARD_NO_OUTER_ROUTE 21
#define TUNIC_DISCARD_OUTER_ROUTE_LOOP 22

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
    uint32_t protocol; /* TUNIC_PROTOCOL_*; from TUNIC_PROTOCOL_VENDOR_FIRST, a third party's protocol. */
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

/* The routes of an adapter as text, a Graphviz digraph; text_bytes bytes of UTF-8 follow within the record, padded with zeroes. */
typedef struct TUNIC_ROUTES {
    TUNIC_ALIGN8 TUNIC_HEADER header; /* Kind ROUTES. */
    uint32_t text_bytes; /* Bytes of the text. */
    uint32_t reserved; /* Zero. */
} TUNIC_ROUTES;
TUNIC_ASSERT(sizeof(TUNIC_ROUTES) == 16, "TUNIC_ROUTES");
TUNIC_ASSERT(offsetof(TUNIC_ROUTES, header) == 0, "TUNIC_ROUTES.header");
TUNIC_ASSERT(offsetof(TUNIC_ROUTES, text_bytes) == 8, "TUNIC_ROUTES.text_bytes");
TUNIC_ASSERT(offsetof(TUNIC_ROUTES, reserved) == 12, "TUNIC_ROUTES.reserved");

/* Chooses between one peer and many. */
typedef struct TUNIC_CHANNEL_SET_MODE {
    TUNIC_ALIGN8 TUNIC_HEADER header; /* Kind CHANNEL_SET_MODE. */
    uint8_t adapter[16]; /* Adapter's GUID; zeroes for that of the device. */
    uint32_t mode; /* 0 point-to-point, 1 multi-peer. */
    uint32_t reserved; /* Zero. */
} TUNIC_CHANNEL_SET_MODE;
TUNIC_ASSERT(sizeof(TUNIC_CHANNEL_SET_MODE) == 32, "TUNIC_CHANNEL_SET_MODE");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_SET_MODE, header) == 0, "TUNIC_CHANNEL_SET_MODE.header");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_SET_MODE, adapter) == 8, "TUNIC_CHANNEL_SET_MODE.adapter");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_SET_MODE, mode) == 24, "TUNIC_CHANNEL_SET_MODE.mode");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_SET_MODE, reserved) == 28, "TUNIC_CHANNEL_SET_MODE.reserved");

/* Binds the socket of multi-peer mode; the answer has the bound address. */
typedef struct TUNIC_CHANNEL_LISTEN {
    TUNIC_ALIGN8 TUNIC_HEADER header; /* Kind CHANNEL_LISTEN. */
    uint8_t adapter[16]; /* Adapter's GUID; zeroes for that of the device. */
    TUNIC_SOCKADDR local; /* SOCKADDR_INET; port 0 lets the system choose. */
    uint32_t flags; /* TUNIC_CHANNEL_LISTEN_* bits. */
} TUNIC_CHANNEL_LISTEN;
TUNIC_ASSERT(sizeof(TUNIC_CHANNEL_LISTEN) == 56, "TUNIC_CHANNEL_LISTEN");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_LISTEN, header) == 0, "TUNIC_CHANNEL_LISTEN.header");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_LISTEN, adapter) == 8, "TUNIC_CHANNEL_LISTEN.adapter");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_LISTEN, local) == 24, "TUNIC_CHANNEL_LISTEN.local");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_LISTEN, flags) == 52, "TUNIC_CHANNEL_LISTEN.flags");

/* Makes a peer. */
typedef struct TUNIC_CHANNEL_NEW_PEER {
    TUNIC_ALIGN8 TUNIC_HEADER header; /* Kind CHANNEL_NEW_PEER. */
    uint8_t adapter[16]; /* Adapter's GUID; zeroes for that of the device. */
    uint32_t receive_id; /* Id on packets from it, below 0xffffff; TUNIC_CHANNEL_ONLY_PEER in point-to-point mode. */
    uint32_t transmit_id; /* Id on packets to it, at most 0xffffff. */
    TUNIC_SOCKADDR local; /* SOCKADDR_INET to bind in point-to-point mode; zeroes for any. */
    TUNIC_SOCKADDR remote; /* SOCKADDR_INET where it is. */
    uint8_t vpn4[4]; /* Its IPv4 address within the tunnel; zeroes for none. */
    uint8_t vpn6[16]; /* Its IPv6 address within the tunnel; zeroes for none. */
    uint32_t flags; /* TUNIC_CHANNEL_PEER_* bits. */
} TUNIC_CHANNEL_NEW_PEER;
TUNIC_ASSERT(sizeof(TUNIC_CHANNEL_NEW_PEER) == 112, "TUNIC_CHANNEL_NEW_PEER");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_NEW_PEER, header) == 0, "TUNIC_CHANNEL_NEW_PEER.header");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_NEW_PEER, adapter) == 8, "TUNIC_CHANNEL_NEW_PEER.adapter");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_NEW_PEER, receive_id) == 24, "TUNIC_CHANNEL_NEW_PEER.receive_id");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_NEW_PEER, transmit_id) == 28, "TUNIC_CHANNEL_NEW_PEER.transmit_id");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_NEW_PEER, local) == 32, "TUNIC_CHANNEL_NEW_PEER.local");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_NEW_PEER, remote) == 60, "TUNIC_CHANNEL_NEW_PEER.remote");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_NEW_PEER, vpn4) == 88, "TUNIC_CHANNEL_NEW_PEER.vpn4");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_NEW_PEER, vpn6) == 92, "TUNIC_CHANNEL_NEW_PEER.vpn6");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_NEW_PEER, flags) == 108, "TUNIC_CHANNEL_NEW_PEER.flags");

/* Names a peer, or one of its slots. */
typedef struct TUNIC_CHANNEL_SELECT_PEER {
    TUNIC_ALIGN8 TUNIC_HEADER header; /* Kind CHANNEL_SELECT_PEER. */
    uint8_t adapter[16]; /* Adapter's GUID; zeroes for that of the device. */
    uint32_t peer; /* Its receive id, or TUNIC_CHANNEL_ONLY_PEER. */
    uint32_t slot; /* 0 primary, 1 secondary; zero where no slot is asked for. */
} TUNIC_CHANNEL_SELECT_PEER;
TUNIC_ASSERT(sizeof(TUNIC_CHANNEL_SELECT_PEER) == 32, "TUNIC_CHANNEL_SELECT_PEER");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_SELECT_PEER, header) == 0, "TUNIC_CHANNEL_SELECT_PEER.header");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_SELECT_PEER, adapter) == 8, "TUNIC_CHANNEL_SELECT_PEER.adapter");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_SELECT_PEER, peer) == 24, "TUNIC_CHANNEL_SELECT_PEER.peer");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_SELECT_PEER, slot) == 28, "TUNIC_CHANNEL_SELECT_PEER.slot");

/* Changes a peer. */
typedef struct TUNIC_CHANNEL_SET_PEER {
    TUNIC_ALIGN8 TUNIC_HEADER header; /* Kind CHANNEL_SET_PEER. */
    uint8_t adapter[16]; /* Adapter's GUID; zeroes for that of the device. */
    uint32_t peer; /* Its receive id, or TUNIC_CHANNEL_ONLY_PEER. */
    uint32_t flags; /* TUNIC_CHANNEL_SET_PEER_* bits. */
    uint32_t keepalive; /* Seconds of silence of ours before a ping; 0 is never. */
    uint32_t timeout; /* Seconds of silence of the peer before it is given up; 0 is never. */
    uint32_t mss; /* Largest TCP segment in bytes, at most 65535; 0 leaves SYN packets alone. */
    uint32_t reserved; /* Zero. */
} TUNIC_CHANNEL_SET_PEER;
TUNIC_ASSERT(sizeof(TUNIC_CHANNEL_SET_PEER) == 48, "TUNIC_CHANNEL_SET_PEER");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_SET_PEER, header) == 0, "TUNIC_CHANNEL_SET_PEER.header");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_SET_PEER, adapter) == 8, "TUNIC_CHANNEL_SET_PEER.adapter");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_SET_PEER, peer) == 24, "TUNIC_CHANNEL_SET_PEER.peer");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_SET_PEER, flags) == 28, "TUNIC_CHANNEL_SET_PEER.flags");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_SET_PEER, keepalive) == 32, "TUNIC_CHANNEL_SET_PEER.keepalive");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_SET_PEER, timeout) == 36, "TUNIC_CHANNEL_SET_PEER.timeout");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_SET_PEER, mss) == 40, "TUNIC_CHANNEL_SET_PEER.mss");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_SET_PEER, reserved) == 44, "TUNIC_CHANNEL_SET_PEER.reserved");

/* A key for a slot: a cipher context of each direction. */
typedef struct TUNIC_CHANNEL_KEY {
    TUNIC_ALIGN8 TUNIC_HEADER header; /* Kind CHANNEL_KEY. */
    uint8_t adapter[16]; /* Adapter's GUID; zeroes for that of the device. */
    uint32_t peer; /* Peer's receive id, or TUNIC_CHANNEL_ONLY_PEER. */
    uint32_t slot; /* 0 primary, 1 secondary. */
    uint32_t suite; /* TUNIC_CHANNEL_SUITE_*. */
    uint32_t key_id; /* Id on packets of the key, at most 7. */
    uint32_t flags; /* TUNIC_CHANNEL_KEY_* bits. */
    uint32_t transmit_id; /* Id on packets to the peer from here on, at most 0xffffff. */
    uint64_t packet_limit; /* Most packets that may be sealed; 0 is what the suite bears. */
    uint8_t encrypt_key[32]; /* Key, padded with zeroes, or secret of epoch 1, for packets to the peer. */
    uint8_t encrypt_nonce_tail[8]; /* What nonces end with; zeroes with epochs. */
    uint8_t decrypt_key[32]; /* Key, padded with zeroes, or secret of epoch 1, for packets from the peer. */
    uint8_t decrypt_nonce_tail[8]; /* What nonces end with; zeroes with epochs. */
} TUNIC_CHANNEL_KEY;
TUNIC_ASSERT(sizeof(TUNIC_CHANNEL_KEY) == 136, "TUNIC_CHANNEL_KEY");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_KEY, header) == 0, "TUNIC_CHANNEL_KEY.header");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_KEY, adapter) == 8, "TUNIC_CHANNEL_KEY.adapter");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_KEY, peer) == 24, "TUNIC_CHANNEL_KEY.peer");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_KEY, slot) == 28, "TUNIC_CHANNEL_KEY.slot");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_KEY, suite) == 32, "TUNIC_CHANNEL_KEY.suite");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_KEY, key_id) == 36, "TUNIC_CHANNEL_KEY.key_id");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_KEY, flags) == 40, "TUNIC_CHANNEL_KEY.flags");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_KEY, transmit_id) == 44, "TUNIC_CHANNEL_KEY.transmit_id");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_KEY, packet_limit) == 48, "TUNIC_CHANNEL_KEY.packet_limit");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_KEY, encrypt_key) == 56, "TUNIC_CHANNEL_KEY.encrypt_key");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_KEY, encrypt_nonce_tail) == 88, "TUNIC_CHANNEL_KEY.encrypt_nonce_tail");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_KEY, decrypt_key) == 96, "TUNIC_CHANNEL_KEY.decrypt_key");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_KEY, decrypt_nonce_tail) == 128, "TUNIC_CHANNEL_KEY.decrypt_nonce_tail");

/* A route to a peer. */
typedef struct TUNIC_CHANNEL_ROUTE {
    TUNIC_ALIGN8 TUNIC_HEADER header; /* Kind CHANNEL_ROUTE. */
    uint8_t adapter[16]; /* Adapter's GUID; zeroes for that of the device. */
    uint32_t peer; /* Peer's receive id; not looked at where the route is removed. */
    uint8_t address[16]; /* 4 or 16 bytes, network byte order. */
    uint16_t address_family; /* AF_INET (2) or AF_INET6 (23). */
    uint8_t prefix_length; /* Prefix length. */
    uint8_t reserved; /* Zero. */
} TUNIC_CHANNEL_ROUTE;
TUNIC_ASSERT(sizeof(TUNIC_CHANNEL_ROUTE) == 48, "TUNIC_CHANNEL_ROUTE");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_ROUTE, header) == 0, "TUNIC_CHANNEL_ROUTE.header");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_ROUTE, adapter) == 8, "TUNIC_CHANNEL_ROUTE.adapter");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_ROUTE, peer) == 24, "TUNIC_CHANNEL_ROUTE.peer");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_ROUTE, address) == 28, "TUNIC_CHANNEL_ROUTE.address");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_ROUTE, address_family) == 44, "TUNIC_CHANNEL_ROUTE.address_family");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_ROUTE, prefix_length) == 46, "TUNIC_CHANNEL_ROUTE.prefix_length");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_ROUTE, reserved) == 47, "TUNIC_CHANNEL_ROUTE.reserved");

/* A control datagram; data_bytes bytes follow within the record, then zeroes up to a multiple of 8. */
typedef struct TUNIC_CHANNEL_DATAGRAM {
    TUNIC_ALIGN8 TUNIC_HEADER header; /* Kind CHANNEL_DATAGRAM. */
    uint8_t adapter[16]; /* Adapter's GUID; zeroes for that of the device. */
    TUNIC_SOCKADDR address; /* SOCKADDR_INET where it goes or comes from; zeroes for the one peer of point-to-point mode. */
    uint32_t data_bytes; /* Bytes of the datagram, 1 to 2048. */
} TUNIC_CHANNEL_DATAGRAM;
TUNIC_ASSERT(sizeof(TUNIC_CHANNEL_DATAGRAM) == 56, "TUNIC_CHANNEL_DATAGRAM");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_DATAGRAM, header) == 0, "TUNIC_CHANNEL_DATAGRAM.header");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_DATAGRAM, adapter) == 8, "TUNIC_CHANNEL_DATAGRAM.adapter");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_DATAGRAM, address) == 24, "TUNIC_CHANNEL_DATAGRAM.address");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_DATAGRAM, data_bytes) == 52, "TUNIC_CHANNEL_DATAGRAM.data_bytes");

/* What an adapter is doing; output only. */
typedef struct TUNIC_CHANNEL_INFO {
    TUNIC_ALIGN8 TUNIC_HEADER header; /* Kind CHANNEL_INFO. */
    uint32_t mode; /* 0 point-to-point, 1 multi-peer. */
    uint32_t is_started; /* 0 stopped, 1 started. */
    TUNIC_SOCKADDR local; /* SOCKADDR_INET that is bound, zeroes for none. */
    uint32_t peers_count; /* Peers. */
} TUNIC_CHANNEL_INFO;
TUNIC_ASSERT(sizeof(TUNIC_CHANNEL_INFO) == 48, "TUNIC_CHANNEL_INFO");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_INFO, header) == 0, "TUNIC_CHANNEL_INFO.header");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_INFO, mode) == 8, "TUNIC_CHANNEL_INFO.mode");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_INFO, is_started) == 12, "TUNIC_CHANNEL_INFO.is_started");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_INFO, local) == 16, "TUNIC_CHANNEL_INFO.local");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_INFO, peers_count) == 44, "TUNIC_CHANNEL_INFO.peers_count");

/* A peer as it is; output only. */
typedef struct TUNIC_CHANNEL_PEER_INFO {
    TUNIC_ALIGN8 TUNIC_HEADER header; /* Kind CHANNEL_PEER_INFO. */
    uint32_t receive_id; /* Id on packets from it, or TUNIC_CHANNEL_ONLY_PEER. */
    uint32_t transmit_id; /* Id on packets to it, TUNIC_CHANNEL_ONLY_PEER where it is not known. */
    TUNIC_SOCKADDR remote; /* SOCKADDR_INET where it is. */
    uint8_t vpn4[4]; /* Its IPv4 address within the tunnel; zeroes for none. */
    uint8_t vpn6[16]; /* Its IPv6 address within the tunnel; zeroes for none. */
    uint32_t routes_count; /* Routes to it. */
    uint32_t keepalive; /* Seconds; 0 is off. */
    uint32_t timeout; /* Seconds; 0 is off. */
    uint16_t mss; /* Bytes; 0 is off. */
    uint8_t primary_suite; /* TUNIC_CHANNEL_SUITE_* of the primary slot; 0 is empty. */
    uint8_t primary_key_id; /* Id of its key; bit 7 is set where its keys are of epochs. */
    uint8_t secondary_suite; /* TUNIC_CHANNEL_SUITE_* of the secondary slot; 0 is empty. */
    uint8_t secondary_key_id; /* Id of its key; bit 7 is set where its keys are of epochs. */
    uint8_t reserved[6]; /* Zero. */
    uint64_t rx_packets; /* Data packets from it. */
    uint64_t tx_packets; /* Data packets to it. */
    uint64_t link_rx_bytes; /* Their bytes of UDP payload. */
    uint64_t link_tx_bytes; /* Their bytes of UDP payload. */
    uint64_t vpn_rx_bytes; /* Bytes of IP packets from it. */
    uint64_t vpn_tx_bytes; /* Bytes of IP packets to it. */
} TUNIC_CHANNEL_PEER_INFO;
TUNIC_ASSERT(sizeof(TUNIC_CHANNEL_PEER_INFO) == 136, "TUNIC_CHANNEL_PEER_INFO");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_PEER_INFO, header) == 0, "TUNIC_CHANNEL_PEER_INFO.header");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_PEER_INFO, receive_id) == 8, "TUNIC_CHANNEL_PEER_INFO.receive_id");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_PEER_INFO, transmit_id) == 12, "TUNIC_CHANNEL_PEER_INFO.transmit_id");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_PEER_INFO, remote) == 16, "TUNIC_CHANNEL_PEER_INFO.remote");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_PEER_INFO, vpn4) == 44, "TUNIC_CHANNEL_PEER_INFO.vpn4");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_PEER_INFO, vpn6) == 48, "TUNIC_CHANNEL_PEER_INFO.vpn6");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_PEER_INFO, routes_count) == 64, "TUNIC_CHANNEL_PEER_INFO.routes_count");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_PEER_INFO, keepalive) == 68, "TUNIC_CHANNEL_PEER_INFO.keepalive");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_PEER_INFO, timeout) == 72, "TUNIC_CHANNEL_PEER_INFO.timeout");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_PEER_INFO, mss) == 76, "TUNIC_CHANNEL_PEER_INFO.mss");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_PEER_INFO, primary_suite) == 78, "TUNIC_CHANNEL_PEER_INFO.primary_suite");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_PEER_INFO, primary_key_id) == 79, "TUNIC_CHANNEL_PEER_INFO.primary_key_id");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_PEER_INFO, secondary_suite) == 80, "TUNIC_CHANNEL_PEER_INFO.secondary_suite");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_PEER_INFO, secondary_key_id) == 81, "TUNIC_CHANNEL_PEER_INFO.secondary_key_id");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_PEER_INFO, reserved) == 82, "TUNIC_CHANNEL_PEER_INFO.reserved");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_PEER_INFO, rx_packets) == 88, "TUNIC_CHANNEL_PEER_INFO.rx_packets");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_PEER_INFO, tx_packets) == 96, "TUNIC_CHANNEL_PEER_INFO.tx_packets");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_PEER_INFO, link_rx_bytes) == 104, "TUNIC_CHANNEL_PEER_INFO.link_rx_bytes");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_PEER_INFO, link_tx_bytes) == 112, "TUNIC_CHANNEL_PEER_INFO.link_tx_bytes");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_PEER_INFO, vpn_rx_bytes) == 120, "TUNIC_CHANNEL_PEER_INFO.vpn_rx_bytes");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_PEER_INFO, vpn_tx_bytes) == 128, "TUNIC_CHANNEL_PEER_INFO.vpn_tx_bytes");

/* Something that happened to a peer; output only. */
typedef struct TUNIC_CHANNEL_EVENT {
    TUNIC_ALIGN8 TUNIC_HEADER header; /* Kind CHANNEL_EVENT. */
    uint8_t adapter[16]; /* Adapter's GUID. */
    uint64_t sequence; /* Counts the adapter's events, so that lost ones show. */
    uint64_t time; /* 100 ns units since 1601-01-01 UTC. */
    uint32_t event; /* TUNIC_CHANNEL_EVENT_*. */
    uint32_t peer; /* Peer's receive id, or TUNIC_CHANNEL_ONLY_PEER. */
    uint32_t reason; /* TUNIC_CHANNEL_DELETED_*, where it was deleted. */
    TUNIC_SOCKADDR address; /* SOCKADDR_INET where it floated to, else zeroes. */
} TUNIC_CHANNEL_EVENT;
TUNIC_ASSERT(sizeof(TUNIC_CHANNEL_EVENT) == 80, "TUNIC_CHANNEL_EVENT");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_EVENT, header) == 0, "TUNIC_CHANNEL_EVENT.header");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_EVENT, adapter) == 8, "TUNIC_CHANNEL_EVENT.adapter");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_EVENT, sequence) == 24, "TUNIC_CHANNEL_EVENT.sequence");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_EVENT, time) == 32, "TUNIC_CHANNEL_EVENT.time");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_EVENT, event) == 40, "TUNIC_CHANNEL_EVENT.event");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_EVENT, peer) == 44, "TUNIC_CHANNEL_EVENT.peer");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_EVENT, reason) == 48, "TUNIC_CHANNEL_EVENT.reason");
TUNIC_ASSERT(offsetof(TUNIC_CHANNEL_EVENT, address) == 52, "TUNIC_CHANNEL_EVENT.address");

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

/* The ABI of ovpn-dco-win */

#define TUNIC_OVPN_IOCTL_NEW_PEER 0x220004u
#define TUNIC_OVPN_IOCTL_GET_STATS 0x220008u
#define TUNIC_OVPN_IOCTL_NEW_KEY 0x22000cu
#define TUNIC_OVPN_IOCTL_SWAP_KEYS 0x220010u
#define TUNIC_OVPN_IOCTL_SET_PEER 0x220014u
#define TUNIC_OVPN_IOCTL_START_VPN 0x220018u
#define TUNIC_OVPN_IOCTL_DEL_PEER 0x22001cu
#define TUNIC_OVPN_IOCTL_GET_VERSION 0x220020u
#define TUNIC_OVPN_IOCTL_NEW_KEY_V2 0x220024u
#define TUNIC_OVPN_IOCTL_SET_MODE 0x220028u
#define TUNIC_OVPN_IOCTL_MP_START_VPN 0x22002cu
#define TUNIC_OVPN_IOCTL_MP_NEW_PEER 0x220030u
#define TUNIC_OVPN_IOCTL_MP_SET_PEER 0x220034u
#define TUNIC_OVPN_IOCTL_NOTIFY_EVENT 0x220038u
#define TUNIC_OVPN_IOCTL_MP_DEL_PEER 0x22003cu
#define TUNIC_OVPN_IOCTL_MP_SWAP_KEYS 0x220040u
#define TUNIC_OVPN_IOCTL_MP_ADD_IROUTE 0x220044u
#define TUNIC_OVPN_IOCTL_MP_DEL_IROUTE 0x220048u
#define TUNIC_OVPN_IOCTL_GET_PEER_STATS 0x22004cu

#define TUNIC_OVPN_CIPHER_AES_GCM 0x1u
#define TUNIC_OVPN_CIPHER_CHACHA20_POLY1305 0x2u

#define TUNIC_OVPN_OPTION_EPOCH 0x2u

#define TUNIC_OVPN_NOTIFY_DEL_PEER 0x0u
#define TUNIC_OVPN_NOTIFY_SWAP_KEYS 0x1u
#define TUNIC_OVPN_NOTIFY_FLOAT_PEER 0x2u


/* The peer of point-to-point mode. */
typedef struct TUNIC_OVPN_NEW_PEER {
    TUNIC_SOCKADDR local; /* sockaddr_in or sockaddr_in6 to bind. */
    TUNIC_SOCKADDR remote; /* sockaddr_in or sockaddr_in6 where it is. */
    uint32_t proto; /* 0 UDP, 1 TCP. */
} TUNIC_OVPN_NEW_PEER;
TUNIC_ASSERT(sizeof(TUNIC_OVPN_NEW_PEER) == 60, "TUNIC_OVPN_NEW_PEER");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_NEW_PEER, local) == 0, "TUNIC_OVPN_NEW_PEER.local");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_NEW_PEER, remote) == 28, "TUNIC_OVPN_NEW_PEER.remote");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_NEW_PEER, proto) == 56, "TUNIC_OVPN_NEW_PEER.proto");

/* A peer of multi-peer mode. */
typedef struct TUNIC_OVPN_MP_NEW_PEER {
    TUNIC_SOCKADDR local; /* sockaddr_in or sockaddr_in6; only the family counts. */
    TUNIC_SOCKADDR remote; /* sockaddr_in or sockaddr_in6 where it is. */
    uint8_t vpn4[4]; /* IPv4 address within the tunnel; zeroes for none. */
    uint8_t vpn6[16]; /* IPv6 address within the tunnel; zeroes for none. */
    int32_t peer_id; /* Its id, both ways. */
} TUNIC_OVPN_MP_NEW_PEER;
TUNIC_ASSERT(sizeof(TUNIC_OVPN_MP_NEW_PEER) == 80, "TUNIC_OVPN_MP_NEW_PEER");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_MP_NEW_PEER, local) == 0, "TUNIC_OVPN_MP_NEW_PEER.local");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_MP_NEW_PEER, remote) == 28, "TUNIC_OVPN_MP_NEW_PEER.remote");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_MP_NEW_PEER, vpn4) == 56, "TUNIC_OVPN_MP_NEW_PEER.vpn4");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_MP_NEW_PEER, vpn6) == 60, "TUNIC_OVPN_MP_NEW_PEER.vpn6");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_MP_NEW_PEER, peer_id) == 76, "TUNIC_OVPN_MP_NEW_PEER.peer_id");

/* Counters of an adapter. */
typedef struct TUNIC_OVPN_STATS {
    int32_t lost_in_control; /* Control datagrams received and lost. */
    int32_t lost_out_control; /* Control datagrams to be sent and lost. */
    int32_t lost_in_data; /* Data packets received and lost. */
    int32_t lost_out_data; /* Data packets to be sent and lost. */
    int32_t received_data; /* Data packets received. */
    int32_t received_control; /* Control datagrams received. */
    int32_t sent_control; /* Control datagrams sent. */
    int32_t sent_data; /* Data packets sent. */
    int64_t transport_sent; /* Bytes of UDP payload sent. */
    int64_t transport_received; /* Bytes of UDP payload received. */
    int64_t tun_sent; /* Bytes of IP packets sent. */
    int64_t tun_received; /* Bytes of IP packets received. */
} TUNIC_OVPN_STATS;
TUNIC_ASSERT(sizeof(TUNIC_OVPN_STATS) == 64, "TUNIC_OVPN_STATS");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_STATS, lost_in_control) == 0, "TUNIC_OVPN_STATS.lost_in_control");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_STATS, lost_out_control) == 4, "TUNIC_OVPN_STATS.lost_out_control");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_STATS, lost_in_data) == 8, "TUNIC_OVPN_STATS.lost_in_data");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_STATS, lost_out_data) == 12, "TUNIC_OVPN_STATS.lost_out_data");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_STATS, received_data) == 16, "TUNIC_OVPN_STATS.received_data");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_STATS, received_control) == 20, "TUNIC_OVPN_STATS.received_control");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_STATS, sent_control) == 24, "TUNIC_OVPN_STATS.sent_control");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_STATS, sent_data) == 28, "TUNIC_OVPN_STATS.sent_data");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_STATS, transport_sent) == 32, "TUNIC_OVPN_STATS.transport_sent");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_STATS, transport_received) == 40, "TUNIC_OVPN_STATS.transport_received");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_STATS, tun_sent) == 48, "TUNIC_OVPN_STATS.tun_sent");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_STATS, tun_received) == 56, "TUNIC_OVPN_STATS.tun_received");

/* Counters of a peer. */
typedef struct TUNIC_OVPN_PEER_STATS {
    int32_t peer_id; /* Its id. */
    int64_t link_rx; /* Bytes of UDP payload received. */
    int64_t link_tx; /* Bytes of UDP payload sent. */
    int64_t vpn_rx; /* Bytes of IP packets received. */
    int64_t vpn_tx; /* Bytes of IP packets sent. */
} TUNIC_OVPN_PEER_STATS;
TUNIC_ASSERT(sizeof(TUNIC_OVPN_PEER_STATS) == 40, "TUNIC_OVPN_PEER_STATS");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_PEER_STATS, peer_id) == 0, "TUNIC_OVPN_PEER_STATS.peer_id");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_PEER_STATS, link_rx) == 8, "TUNIC_OVPN_PEER_STATS.link_rx");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_PEER_STATS, link_tx) == 16, "TUNIC_OVPN_PEER_STATS.link_tx");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_PEER_STATS, vpn_rx) == 24, "TUNIC_OVPN_PEER_STATS.vpn_rx");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_PEER_STATS, vpn_tx) == 32, "TUNIC_OVPN_PEER_STATS.vpn_tx");

/* A key of one direction. */
typedef struct TUNIC_OVPN_KEY_DIRECTION {
    uint8_t key[32]; /* Key, or secret of epoch 1. */
    uint8_t key_bytes; /* Bytes of the suite's keys. */
    uint8_t nonce_tail[8]; /* What nonces end with. */
} TUNIC_OVPN_KEY_DIRECTION;
TUNIC_ASSERT(sizeof(TUNIC_OVPN_KEY_DIRECTION) == 41, "TUNIC_OVPN_KEY_DIRECTION");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_KEY_DIRECTION, key) == 0, "TUNIC_OVPN_KEY_DIRECTION.key");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_KEY_DIRECTION, key_bytes) == 32, "TUNIC_OVPN_KEY_DIRECTION.key_bytes");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_KEY_DIRECTION, nonce_tail) == 33, "TUNIC_OVPN_KEY_DIRECTION.nonce_tail");

/* A key for a slot. */
typedef struct TUNIC_OVPN_CRYPTO_DATA {
    TUNIC_OVPN_KEY_DIRECTION encrypt; /* For packets to the peer. */
    TUNIC_OVPN_KEY_DIRECTION decrypt; /* For packets from the peer. */
    uint32_t slot; /* 0 primary, 1 secondary. */
    uint32_t cipher; /* CIPHER_*. */
    uint8_t key_id; /* Id on packets of the key. */
    int32_t peer_id; /* The peer, and the id on packets to it. */
} TUNIC_OVPN_CRYPTO_DATA;
TUNIC_ASSERT(sizeof(TUNIC_OVPN_CRYPTO_DATA) == 100, "TUNIC_OVPN_CRYPTO_DATA");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_CRYPTO_DATA, encrypt) == 0, "TUNIC_OVPN_CRYPTO_DATA.encrypt");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_CRYPTO_DATA, decrypt) == 41, "TUNIC_OVPN_CRYPTO_DATA.decrypt");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_CRYPTO_DATA, slot) == 84, "TUNIC_OVPN_CRYPTO_DATA.slot");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_CRYPTO_DATA, cipher) == 88, "TUNIC_OVPN_CRYPTO_DATA.cipher");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_CRYPTO_DATA, key_id) == 92, "TUNIC_OVPN_CRYPTO_DATA.key_id");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_CRYPTO_DATA, peer_id) == 96, "TUNIC_OVPN_CRYPTO_DATA.peer_id");

/* A key for a slot, with options. */
typedef struct TUNIC_OVPN_CRYPTO_DATA_V2 {
    TUNIC_OVPN_CRYPTO_DATA v1; /* The key. */
    uint32_t options; /* OPTION_* bits. */
} TUNIC_OVPN_CRYPTO_DATA_V2;
TUNIC_ASSERT(sizeof(TUNIC_OVPN_CRYPTO_DATA_V2) == 104, "TUNIC_OVPN_CRYPTO_DATA_V2");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_CRYPTO_DATA_V2, v1) == 0, "TUNIC_OVPN_CRYPTO_DATA_V2.v1");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_CRYPTO_DATA_V2, options) == 100, "TUNIC_OVPN_CRYPTO_DATA_V2.options");

/* Changes the peer of point-to-point mode; -1 leaves a field as it is. */
typedef struct TUNIC_OVPN_SET_PEER {
    int32_t keepalive_interval; /* Seconds of silence of ours before a ping; 0 is never. */
    int32_t keepalive_timeout; /* Seconds of silence of the peer before it is given up; 0 is never. */
    int32_t mss; /* Largest TCP segment in bytes; 0 leaves SYN packets alone. */
} TUNIC_OVPN_SET_PEER;
TUNIC_ASSERT(sizeof(TUNIC_OVPN_SET_PEER) == 12, "TUNIC_OVPN_SET_PEER");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_SET_PEER, keepalive_interval) == 0, "TUNIC_OVPN_SET_PEER.keepalive_interval");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_SET_PEER, keepalive_timeout) == 4, "TUNIC_OVPN_SET_PEER.keepalive_timeout");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_SET_PEER, mss) == 8, "TUNIC_OVPN_SET_PEER.mss");

/* Changes a peer of multi-peer mode; -1 leaves a field as it is. */
typedef struct TUNIC_OVPN_MP_SET_PEER {
    int32_t peer_id; /* Which peer. */
    int32_t keepalive_interval; /* Seconds of silence of ours before a ping; 0 is never. */
    int32_t keepalive_timeout; /* Seconds of silence of the peer before it is given up; 0 is never. */
    int32_t mss; /* Largest TCP segment in bytes; 0 leaves SYN packets alone. */
} TUNIC_OVPN_MP_SET_PEER;
TUNIC_ASSERT(sizeof(TUNIC_OVPN_MP_SET_PEER) == 16, "TUNIC_OVPN_MP_SET_PEER");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_MP_SET_PEER, peer_id) == 0, "TUNIC_OVPN_MP_SET_PEER.peer_id");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_MP_SET_PEER, keepalive_interval) == 4, "TUNIC_OVPN_MP_SET_PEER.keepalive_interval");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_MP_SET_PEER, keepalive_timeout) == 8, "TUNIC_OVPN_MP_SET_PEER.keepalive_timeout");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_MP_SET_PEER, mss) == 12, "TUNIC_OVPN_MP_SET_PEER.mss");

/* The driver's version. */
typedef struct TUNIC_OVPN_VERSION {
    int32_t major; /* Major. */
    int32_t minor; /* Minor. */
    int32_t patch; /* Patch. */
} TUNIC_OVPN_VERSION;
TUNIC_ASSERT(sizeof(TUNIC_OVPN_VERSION) == 12, "TUNIC_OVPN_VERSION");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_VERSION, major) == 0, "TUNIC_OVPN_VERSION.major");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_VERSION, minor) == 4, "TUNIC_OVPN_VERSION.minor");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_VERSION, patch) == 8, "TUNIC_OVPN_VERSION.patch");

/* Binds the socket of multi-peer mode; the answer has the bound address. */
typedef struct TUNIC_OVPN_MP_START_VPN {
    TUNIC_SOCKADDR listen; /* sockaddr_in or sockaddr_in6; port 0 lets the system choose. */
    int32_t ipv6_only; /* Not 0: an IPv6 socket takes IPv6 alone. */
} TUNIC_OVPN_MP_START_VPN;
TUNIC_ASSERT(sizeof(TUNIC_OVPN_MP_START_VPN) == 32, "TUNIC_OVPN_MP_START_VPN");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_MP_START_VPN, listen) == 0, "TUNIC_OVPN_MP_START_VPN.listen");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_MP_START_VPN, ipv6_only) == 28, "TUNIC_OVPN_MP_START_VPN.ipv6_only");

/* Something that happened to a peer. */
typedef struct TUNIC_OVPN_NOTIFY_EVENT {
    uint32_t cmd; /* NOTIFY_*. */
    int32_t peer_id; /* Which peer. */
    uint32_t del_reason; /* Why it is gone. */
    uint32_t reserved; /* Zero. */
    uint8_t float_address[128]; /* sockaddr_storage: where it floated to. */
} TUNIC_OVPN_NOTIFY_EVENT;
TUNIC_ASSERT(sizeof(TUNIC_OVPN_NOTIFY_EVENT) == 144, "TUNIC_OVPN_NOTIFY_EVENT");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_NOTIFY_EVENT, cmd) == 0, "TUNIC_OVPN_NOTIFY_EVENT.cmd");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_NOTIFY_EVENT, peer_id) == 4, "TUNIC_OVPN_NOTIFY_EVENT.peer_id");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_NOTIFY_EVENT, del_reason) == 8, "TUNIC_OVPN_NOTIFY_EVENT.del_reason");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_NOTIFY_EVENT, reserved) == 12, "TUNIC_OVPN_NOTIFY_EVENT.reserved");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_NOTIFY_EVENT, float_address) == 16, "TUNIC_OVPN_NOTIFY_EVENT.float_address");

/* A route to a peer. */
typedef struct TUNIC_OVPN_MP_IROUTE {
    uint8_t address[16]; /* 4 or 16 bytes, network byte order. */
    int32_t netbits; /* Prefix length. */
    int32_t peer_id; /* Which peer; -1 where the route is removed. */
    int32_t ipv6; /* Not 0: the address is IPv6. */
} TUNIC_OVPN_MP_IROUTE;
TUNIC_ASSERT(sizeof(TUNIC_OVPN_MP_IROUTE) == 28, "TUNIC_OVPN_MP_IROUTE");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_MP_IROUTE, address) == 0, "TUNIC_OVPN_MP_IROUTE.address");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_MP_IROUTE, netbits) == 16, "TUNIC_OVPN_MP_IROUTE.netbits");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_MP_IROUTE, peer_id) == 20, "TUNIC_OVPN_MP_IROUTE.peer_id");
TUNIC_ASSERT(offsetof(TUNIC_OVPN_MP_IROUTE, ipv6) == 24, "TUNIC_OVPN_MP_IROUTE.ipv6");

#endif
