//! Names that differ between nt-sys and Windows' headers.

/// The counterpart of a field of nt-sys in the C headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Member {
    /// A member, which may be nested: `Tail.Overlay`.
    Named(&'static str),
    /// The members from one to another, both included: nt-sys has an array, or a struct for the
    /// first few.
    Range(&'static str, &'static str),
    /// A member of unknown size, up to the next field.
    UpToNext(&'static str),
    /// Bit fields in one number, up to the next field, by the lowest of them.
    Bits(&'static str),
    /// None: padding that nt-sys names.
    Padding,
}

/// The C type of a type of nt-sys, as the operand of `typeof`: the same name, unless C has another
/// or none.
pub(super) fn c_type(name: &str) -> &str {
    TYPES.iter().find(|(ours, _)| *ours == name).map_or(name, |(_, theirs)| theirs)
}

/// The counterpart of a field, unless it is a member of the same name.
pub(super) fn exception(name: &str, field: &str) -> Option<Member> {
    MEMBERS
        .iter()
        .find(|(its_type, its_field, _)| *its_type == name && *its_field == field)
        .map(|(_, _, member)| *member)
}

/// Structs and unions that are nested in C.
const TYPES: &[(&str, &str)] = &[
    ("IN_ADDR", "((IN_ADDR *)0)->S_un"),
    ("IN6_ADDR", "((IN6_ADDR *)0)->u"),
    ("IO_STACK_CREATE", "((IO_STACK_LOCATION *)0)->Parameters.Create"),
    ("IO_STACK_DEVICE_IO_CONTROL", "((IO_STACK_LOCATION *)0)->Parameters.DeviceIoControl"),
    ("IO_STACK_OTHERS", "((IO_STACK_LOCATION *)0)->Parameters.Others"),
    ("IO_STACK_PARAMETERS", "((IO_STACK_LOCATION *)0)->Parameters"),
    ("IO_STACK_READ_WRITE", "((IO_STACK_LOCATION *)0)->Parameters.Read"),
    ("IRP_ASSOCIATED", "((IRP *)0)->AssociatedIrp"),
    ("IRP_OVERLAY", "((IRP *)0)->Overlay.AsynchronousParameters"),
    ("IRP_TAIL", "((IRP *)0)->Tail"),
    ("IRP_TAIL_OVERLAY", "((IRP *)0)->Tail.Overlay"),
    ("NDIS_CHECKSUM_OFFLOAD_FIELDS", "((NDIS_TCP_IP_CHECKSUM_OFFLOAD *)0)->IPv4Transmit"),
    ("NDIS_CONFIGURATION_PARAMETER_DATA", "((NDIS_CONFIGURATION_PARAMETER *)0)->ParameterData"),
    ("NDIS_OID_REQUEST_DATA", "((NDIS_OID_REQUEST *)0)->DATA"),
    ("NDIS_OID_REQUEST_METHOD", "((NDIS_OID_REQUEST *)0)->DATA.METHOD_INFORMATION"),
    ("NDIS_OID_REQUEST_QUERY", "((NDIS_OID_REQUEST *)0)->DATA.QUERY_INFORMATION"),
    ("NDIS_OID_REQUEST_SET", "((NDIS_OID_REQUEST *)0)->DATA.SET_INFORMATION"),
    ("NDIS_OFFLOAD_ENCAPSULATION_FIELDS", "((NDIS_OFFLOAD_ENCAPSULATION *)0)->IPv4"),
    ("NDIS_SEGMENTATION_OFFLOAD_FIELDS", "((NDIS_TCP_LARGE_SEND_OFFLOAD_V2 *)0)->IPv4"),
    ("SOCKADDR_IN6", "SOCKADDR_IN6_LH"),
];

const MEMBERS: &[(&str, &str, Member)] = &[
    ("NDIS_CHECKSUM_OFFLOAD_FIELDS", "Supported", Member::Bits("IpOptionsSupported")),
    (
        "NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD",
        "Supported",
        Member::Bits("TransmitChecksumOffloadSupported"),
    ),
    (
        "NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_V2",
        "Supported",
        Member::Bits("TransmitChecksumOffloadSupported"),
    ),
    (
        "NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_V2",
        "Reserved",
        Member::Range("Reserved1", "Reserved2"),
    ),
    (
        "NDIS_IPSEC_OFFLOAD_V2",
        "Supported",
        Member::Range("IPv6Supported", "ExtendedSequenceNumbers"),
    ),
    ("NDIS_OFFLOAD_PARAMETERS", "UdpSegmentationIPv4", Member::Named("UdpSegmentation.IPv4")),
    ("NDIS_OFFLOAD_PARAMETERS", "UdpSegmentationIPv6", Member::Named("UdpSegmentation.IPv6")),
    ("NDIS_TCP_CONNECTION_OFFLOAD", "Supported", Member::Bits("SupportIPv4")),
    ("NDIS_TCP_LARGE_SEND_OFFLOAD_V1", "Encapsulation", Member::Named("IPv4.Encapsulation")),
    ("NDIS_TCP_LARGE_SEND_OFFLOAD_V1", "MaxOffLoadSize", Member::Named("IPv4.MaxOffLoadSize")),
    ("NDIS_TCP_LARGE_SEND_OFFLOAD_V1", "MinSegmentCount", Member::Named("IPv4.MinSegmentCount")),
    ("NDIS_TCP_LARGE_SEND_OFFLOAD_V1", "Options", Member::Bits("IPv4.TcpOptions")),
    ("NDIS_TCP_LARGE_SEND_OFFLOAD_V2", "IPv6", Member::UpToNext("IPv6")),
    (
        "NDIS_TCP_LARGE_SEND_OFFLOAD_V2",
        "IPv6Options",
        Member::Bits("IPv6.IpExtensionHeadersSupported"),
    ),
    ("NDIS_TCP_RECV_SEG_COALESCE_OFFLOAD", "IPv4Enabled", Member::Named("IPv4.Enabled")),
    ("NDIS_TCP_RECV_SEG_COALESCE_OFFLOAD", "IPv6Enabled", Member::Named("IPv6.Enabled")),
    ("NDIS_UDP_SEGMENTATION_OFFLOAD", "IPv6", Member::UpToNext("IPv6")),
    (
        "NDIS_UDP_SEGMENTATION_OFFLOAD",
        "IPv6Options",
        Member::Bits("IPv6.IpExtensionHeadersSupported"),
    ),
    ("NET_BUFFER", "DataLengthHigh", Member::Padding),
    ("NET_BUFFER", "Padding", Member::Padding),
    ("NET_BUFFER", "Padding2", Member::Padding),
    ("NET_BUFFER_LIST", "Padding", Member::Padding),
    ("NET_BUFFER_LIST_CONTEXT", "ContextData", Member::UpToNext("ContextData")),
    (
        "WSK_PROVIDER_DATAGRAM_DISPATCH",
        "Basic",
        Member::Range("WskControlSocket", "WskCloseSocket"),
    ),
];
