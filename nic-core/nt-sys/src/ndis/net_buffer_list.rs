//! ndis/nbl.h, ndis/nblinfo.h, ndis/nblchecksum.h, ndis/nbllso.h, ndis/nbluso.h, ndis/nblrsc.h,
//! nblsend.h, nblreceive.h: a list of packets with one set of out-of-band information.

use super::{NDIS_HANDLE, NDIS_OBJECT_HEADER, NDIS_STATUS, NET_BUFFER};
use crate::mm::MDL;
use crate::ntdef::{BOOLEAN, LONG, PVOID, UCHAR, ULONG, USHORT};

/// Packets that share out-of-band information.
///
/// **Never allocate or copy it by `size_of`**: `NetBufferListInfo` grows with the version of NDIS
/// (352 bytes at 6.50, 368 from 6.80). At 6.50 it ends after slot 24 (`GftOffloadInformation`).
#[repr(C, align(16))]
pub struct NET_BUFFER_LIST {
    /// The next list of the chain.
    pub Next: *mut NET_BUFFER_LIST,
    /// The first packet.
    pub FirstNetBuffer: *mut NET_BUFFER,
    /// The context space.
    pub Context: *mut NET_BUFFER_LIST_CONTEXT,
    /// The list that this one was cloned from, or null.
    pub ParentNetBufferList: *mut NET_BUFFER_LIST,
    /// The pool that it came from.
    pub NdisPoolHandle: NDIS_HANDLE,
    /// Padding: `NdisReserved` is aligned to 16 bytes.
    pub Padding: PVOID,
    /// Reserved for NDIS.
    pub NdisReserved: [PVOID; 2],
    /// For the protocol driver that owns it.
    pub ProtocolReserved: [PVOID; 4],
    /// For the miniport that owns it.
    pub MiniportReserved: [PVOID; 2],
    /// For the current owner.
    pub Scratch: PVOID,
    /// The handle of its source: for received packets the miniport adapter handle.
    pub SourceHandle: NDIS_HANDLE,
    /// `NDIS_NBL_FLAGS_*`
    pub NblFlags: ULONG,
    /// Clones in existence.
    pub ChildRefCount: LONG,
    /// Reserved for NDIS.
    pub Flags: ULONG,
    /// The status of the send, which the miniport sets before it completes the list.
    pub Status: NDIS_STATUS,
    /// Out-of-band information, by [`NDIS_NET_BUFFER_LIST_INFO`].
    pub NetBufferListInfo: [PVOID; MaxNetBufferListInfo],
}

/// Head of a context space; the data follows it.
#[repr(C, align(16))]
pub struct NET_BUFFER_LIST_CONTEXT {
    /// The next context space of the same NET_BUFFER_LIST.
    pub Next: *mut NET_BUFFER_LIST_CONTEXT,
    /// Size of the data in bytes.
    pub Size: USHORT,
    /// The offset of the used part in `ContextData`, in bytes.
    pub Offset: USHORT,
    /// The data.
    pub ContextData: ContextData,
}

/// The beginning of a context space's data.
#[repr(C, align(16))]
pub struct ContextData(pub [UCHAR; 0]);

/// Index of a slot of `NET_BUFFER_LIST::NetBufferListInfo`.
pub type NDIS_NET_BUFFER_LIST_INFO = usize;

/// [`NDIS_TCP_IP_CHECKSUM_NET_BUFFER_LIST_INFO`]
pub const TcpIpChecksumNetBufferListInfo: NDIS_NET_BUFFER_LIST_INFO = 0;
/// [`NDIS_TCP_LARGE_SEND_OFFLOAD_NET_BUFFER_LIST_INFO`]
pub const TcpLargeSendNetBufferListInfo: NDIS_NET_BUFFER_LIST_INFO = 2;
/// Packet priority and VLAN.
pub const Ieee8021QNetBufferListInfo: NDIS_NET_BUFFER_LIST_INFO = 4;
/// The cancel ID for `MiniportCancelSend`.
pub const NetBufferListCancelId: NDIS_NET_BUFFER_LIST_INFO = 5;
/// For the medium.
pub const MediaSpecificInformation: NDIS_NET_BUFFER_LIST_INFO = 6;
/// Ethernet frame type in network byte order (received packets).
pub const NetBufferListFrameType: NDIS_NET_BUFFER_LIST_INFO = 7;
/// `NDIS_PROTOCOL_ID_*` (sent packets); the same slot as [`NetBufferListFrameType`].
pub const NetBufferListProtocolId: NDIS_NET_BUFFER_LIST_INFO = 7;
/// RSS hash.
pub const NetBufferListHashValue: NDIS_NET_BUFFER_LIST_INFO = 8;
/// Kind of the RSS hash.
pub const NetBufferListHashInfo: NDIS_NET_BUFFER_LIST_INFO = 9;
/// Reserved for the filtering platform.
pub const WfpNetBufferListInfo: NDIS_NET_BUFFER_LIST_INFO = 10;
/// Received: [`NDIS_RSC_NBL_INFO`].
pub const TcpRecvSegCoalesceInfo: NDIS_NET_BUFFER_LIST_INFO = 22;
/// Sent: [`NDIS_UDP_SEGMENTATION_OFFLOAD_NET_BUFFER_LIST_INFO`]; the same slot as
/// [`TcpRecvSegCoalesceInfo`].
pub const UdpSegmentationOffloadInfo: NDIS_NET_BUFFER_LIST_INFO = 22;
/// TCP timestamps of coalesced segments.
pub const RscTcpTimestampDelta: NDIS_NET_BUFFER_LIST_INFO = 23;
/// The last slot at NDIS 6.50.
pub const GftOffloadInformation: NDIS_NET_BUFFER_LIST_INFO = 24;
/// Slots at NDIS 6.80 and up.
pub const MaxNetBufferListInfo: NDIS_NET_BUFFER_LIST_INFO = 27;

/// The checksums to compute for a sent packet, or the state of a received packet's checksums.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NDIS_TCP_IP_CHECKSUM_NET_BUFFER_LIST_INFO {
    /// The value of the slot. Sent: bits 16 to 25 are the offset of the TCP or UDP header in the
    /// packet, in bytes.
    pub Value: usize,
}

impl NDIS_TCP_IP_CHECKSUM_NET_BUFFER_LIST_INFO {
    /// Sent: the packet is IPv4.
    pub const TRANSMIT_IS_IPV4: usize = 1 << 0;
    /// Sent: the packet is IPv6.
    pub const TRANSMIT_IS_IPV6: usize = 1 << 1;
    /// Sent: compute the TCP checksum.
    pub const TRANSMIT_TCP_CHECKSUM: usize = 1 << 2;
    /// Sent: compute the UDP checksum.
    pub const TRANSMIT_UDP_CHECKSUM: usize = 1 << 3;
    /// Sent: compute the IPv4 header's checksum.
    pub const TRANSMIT_IP_HEADER_CHECKSUM: usize = 1 << 4;
    /// Received: the TCP checksum is wrong.
    pub const RECEIVE_TCP_CHECKSUM_FAILED: usize = 1 << 0;
    /// Received: the UDP checksum is wrong.
    pub const RECEIVE_UDP_CHECKSUM_FAILED: usize = 1 << 1;
    /// Received: the IPv4 header's checksum is wrong.
    pub const RECEIVE_IP_CHECKSUM_FAILED: usize = 1 << 2;
    /// Received: the TCP checksum was checked and is right.
    pub const RECEIVE_TCP_CHECKSUM_SUCCEEDED: usize = 1 << 3;
    /// Received: the UDP checksum was checked and is right.
    pub const RECEIVE_UDP_CHECKSUM_SUCCEEDED: usize = 1 << 4;
    /// Received: the IPv4 header's checksum was checked and is right.
    pub const RECEIVE_IP_CHECKSUM_SUCCEEDED: usize = 1 << 5;
}

/// A TCP segment that the miniport must split.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NDIS_TCP_LARGE_SEND_OFFLOAD_NET_BUFFER_LIST_INFO {
    /// The value of the slot, of LSO version 2: bits 0 to 19 MSS, 20 to 29 offset of the TCP
    /// header, 30 type (1), 31 IP version (0: IPv4, 1: IPv6). On completion 0.
    pub Value: usize,
}

/// A UDP datagram that the miniport must split.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NDIS_UDP_SEGMENTATION_OFFLOAD_NET_BUFFER_LIST_INFO {
    /// The value of the slot: bits 0 to 19 MSS, 20 to 29 offset of the UDP header, 31 IP version
    /// (0: IPv4, 1: IPv6).
    pub Value: usize,
}

/// A received TCP segment that several were coalesced into.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NDIS_RSC_NBL_INFO {
    /// The value of the slot: bits 0 to 15 number of coalesced segments, 16 to 31 number of
    /// duplicate ACKs.
    pub Value: usize,
}

/// The type bit of LSO version 2.
pub const NDIS_TCP_LARGE_SEND_OFFLOAD_V2_TYPE: usize = 1;
/// LSO's IP version 4.
pub const NDIS_TCP_LARGE_SEND_OFFLOAD_IPv4: usize = 0;
/// LSO's IP version 6.
pub const NDIS_TCP_LARGE_SEND_OFFLOAD_IPv6: usize = 1;

/// `NetBufferListProtocolId`: no protocol.
pub const NDIS_PROTOCOL_ID_DEFAULT: UCHAR = 0;
/// `NetBufferListProtocolId`: TCP/IP.
pub const NDIS_PROTOCOL_ID_TCP_IP: UCHAR = 2;

/// The sent data must not be written to.
pub const NDIS_NBL_FLAGS_SEND_READ_ONLY: ULONG = 0x0001;
/// The received data must not be written to.
pub const NDIS_NBL_FLAGS_RECV_READ_ONLY: ULONG = 0x0002;
/// All packets are IPv4.
pub const NDIS_NBL_FLAGS_IS_IPV4: ULONG = 0x0200;
/// All packets are IPv6.
pub const NDIS_NBL_FLAGS_IS_IPV6: ULONG = 0x0400;
/// All packets are TCP.
pub const NDIS_NBL_FLAGS_IS_TCP: ULONG = 0x0800;
/// All packets are UDP.
pub const NDIS_NBL_FLAGS_IS_UDP: ULONG = 0x1000;

/// `MiniportSendNetBufferLists`: the IRQL is `DISPATCH_LEVEL`.
pub const NDIS_SEND_FLAGS_DISPATCH_LEVEL: ULONG = 0x0001;
/// `MiniportSendNetBufferLists`: loop back packets to this adapter.
pub const NDIS_SEND_FLAGS_CHECK_FOR_LOOPBACK: ULONG = 0x0002;
/// `MiniportSendNetBufferLists`: all packets are for one queue.
pub const NDIS_SEND_FLAGS_SINGLE_QUEUE: ULONG = 0x0004;
/// `NdisMSendNetBufferListsComplete`: the IRQL is `DISPATCH_LEVEL`.
pub const NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL: ULONG = 0x0001;
/// `NdisMSendNetBufferListsComplete`: all packets are of one queue.
pub const NDIS_SEND_COMPLETE_FLAGS_SINGLE_QUEUE: ULONG = 0x0002;
/// `NdisMIndicateReceiveNetBufferLists`: the IRQL is `DISPATCH_LEVEL`.
pub const NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL: ULONG = 0x0001;
/// `NdisMIndicateReceiveNetBufferLists`: the miniport owns the lists again when the call
/// returns.
pub const NDIS_RECEIVE_FLAGS_RESOURCES: ULONG = 0x0002;
/// `NdisMIndicateReceiveNetBufferLists`: all packets have one Ethernet type.
pub const NDIS_RECEIVE_FLAGS_SINGLE_ETHER_TYPE: ULONG = 0x0100;
/// `NdisMIndicateReceiveNetBufferLists`: all packets have passed the filter exactly.
pub const NDIS_RECEIVE_FLAGS_PERFECT_FILTERED: ULONG = 0x0400;
/// `NdisMIndicateReceiveNetBufferLists`: all packets are of one queue.
pub const NDIS_RECEIVE_FLAGS_SINGLE_QUEUE: ULONG = 0x0800;
/// `MiniportReturnNetBufferLists`: the IRQL is `DISPATCH_LEVEL`.
pub const NDIS_RETURN_FLAGS_DISPATCH_LEVEL: ULONG = 0x0001;
/// `MiniportReturnNetBufferLists`: all packets are of one queue.
pub const NDIS_RETURN_FLAGS_SINGLE_QUEUE: ULONG = 0x0002;

/// Parameters of a NET_BUFFER_LIST pool.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct NET_BUFFER_LIST_POOL_PARAMETERS {
    /// `NDIS_OBJECT_TYPE_DEFAULT`
    pub Header: NDIS_OBJECT_HEADER,
    /// `NDIS_PROTOCOL_ID_*`; a miniport sets `NDIS_PROTOCOL_ID_DEFAULT`.
    pub ProtocolId: UCHAR,
    /// Each list gets a NET_BUFFER.
    pub fAllocateNetBuffer: BOOLEAN,
    /// Bytes of context space for each list; a multiple of `MEMORY_ALLOCATION_ALIGNMENT` (16).
    pub ContextSize: USHORT,
    /// Pool tag; not 0.
    pub PoolTag: ULONG,
    /// Bytes of data space that each NET_BUFFER gets with an MDL, or 0; not 0 only with
    /// `fAllocateNetBuffer`.
    pub DataSize: ULONG,
    /// Revision 2.
    pub Flags: ULONG,
}

/// Of [`NET_BUFFER_LIST_POOL_PARAMETERS`].
pub const NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1: UCHAR = 1;
/// Of [`NET_BUFFER_LIST_POOL_PARAMETERS`].
pub const NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1: USHORT = 16;

crate::import! { "ndis.sys";
    /// Makes a pool of NET_BUFFER_LISTs. Null when memory is short.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn NdisAllocateNetBufferListPool(
        ndis_handle: NDIS_HANDLE, parameters: *const NET_BUFFER_LIST_POOL_PARAMETERS,
    ) -> NDIS_HANDLE;

    /// Frees a pool; all its NET_BUFFER_LISTs must have been freed.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn NdisFreeNetBufferListPool(pool_handle: NDIS_HANDLE);

    /// Allocates a list, with NET_BUFFER, MDL and data as the pool was made. Null when memory is
    /// short.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn NdisAllocateNetBufferList(
        pool_handle: NDIS_HANDLE, context_size: USHORT, context_back_fill: USHORT,
    ) -> *mut NET_BUFFER_LIST;

    /// Allocates a list with a NET_BUFFER over `mdl_chain`; the pool has `fAllocateNetBuffer` and
    /// no `DataSize`.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn NdisAllocateNetBufferAndNetBufferList(
        pool_handle: NDIS_HANDLE, context_size: USHORT, context_back_fill: USHORT,
        mdl_chain: *mut MDL,
        data_offset: ULONG, data_length: usize,
    ) -> *mut NET_BUFFER_LIST;

    /// Frees a list and what was allocated with it.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn NdisFreeNetBufferList(net_buffer_list: *mut NET_BUFFER_LIST);
}
