//! Sizes and offsets as Windows has them, on x64 and ARM64: written by `cargo xtask check-layouts
//! --headers DIR --write`, not by hand.
//!
//! Computed by clang from the headers of the WDK (build 22621) in microsoft/wdkmetadata, which are
//! no part of Tunic. The last column is the version of NDIS from which on the numbers are these. A
//! number that nt-sys doesn't have stops the compiler.

use crate::{ex, io, ke, mm, ndis, netioapi, ntdef, rtl, se, wsk};

// type, size, alignment, NDIS { field, offset, size, NDIS }
#[rustfmt::skip]
layouts! {
    ex::EX_RUNDOWN_REF, 8, 8, "-" {
        Count, 0, 8, "-";
    }
    io::IO_STATUS_BLOCK, 16, 8, "-" {
        Status, 0, 4, "-";
        Information, 8, 8, "-";
    }
    io::DRIVER_OBJECT, 336, 8, "-" {
        Type, 0, 2, "-";
        Size, 2, 2, "-";
        DeviceObject, 8, 8, "-";
        Flags, 16, 4, "-";
        DriverStart, 24, 8, "-";
        DriverSize, 32, 4, "-";
        DriverSection, 40, 8, "-";
        DriverExtension, 48, 8, "-";
        DriverName, 56, 16, "-";
        HardwareDatabase, 72, 8, "-";
        FastIoDispatch, 80, 8, "-";
        DriverInit, 88, 8, "-";
        DriverStartIo, 96, 8, "-";
        DriverUnload, 104, 8, "-";
        MajorFunction, 112, 224, "-";
    }
    io::DEVICE_OBJECT, 336, 16, "-" {
        Type, 0, 2, "-";
        Size, 2, 2, "-";
        ReferenceCount, 4, 4, "-";
        DriverObject, 8, 8, "-";
        NextDevice, 16, 8, "-";
        AttachedDevice, 24, 8, "-";
        CurrentIrp, 32, 8, "-";
        Timer, 40, 8, "-";
        Flags, 48, 4, "-";
        Characteristics, 52, 4, "-";
        Vpb, 56, 8, "-";
        DeviceExtension, 64, 8, "-";
        DeviceType, 72, 4, "-";
        StackSize, 76, 1, "-";
        Queue, 80, 72, "-";
        AlignmentRequirement, 152, 4, "-";
        DeviceQueue, 160, 40, "-";
        Dpc, 200, 64, "-";
        ActiveThreadCount, 264, 4, "-";
        SecurityDescriptor, 272, 8, "-";
        DeviceLock, 280, 24, "-";
        SectorSize, 304, 2, "-";
        Spare1, 306, 2, "-";
        DeviceObjectExtension, 312, 8, "-";
        Reserved, 320, 8, "-";
    }
    io::FILE_OBJECT, 216, 8, "-" {
        Type, 0, 2, "-";
        Size, 2, 2, "-";
        DeviceObject, 8, 8, "-";
        Vpb, 16, 8, "-";
        FsContext, 24, 8, "-";
        FsContext2, 32, 8, "-";
        SectionObjectPointer, 40, 8, "-";
        PrivateCacheMap, 48, 8, "-";
        FinalStatus, 56, 4, "-";
        RelatedFileObject, 64, 8, "-";
        LockOperation, 72, 1, "-";
        DeletePending, 73, 1, "-";
        ReadAccess, 74, 1, "-";
        WriteAccess, 75, 1, "-";
        DeleteAccess, 76, 1, "-";
        SharedRead, 77, 1, "-";
        SharedWrite, 78, 1, "-";
        SharedDelete, 79, 1, "-";
        Flags, 80, 4, "-";
        FileName, 88, 16, "-";
        CurrentByteOffset, 104, 8, "-";
        Waiters, 112, 4, "-";
        Busy, 116, 4, "-";
        LastLock, 120, 8, "-";
        Lock, 128, 24, "-";
        Event, 152, 24, "-";
        CompletionContext, 176, 8, "-";
        IrpListLock, 184, 8, "-";
        IrpList, 192, 16, "-";
        FileObjectExtension, 208, 8, "-";
    }
    io::IRP_ASSOCIATED, 8, 8, "-" {
        MasterIrp, 0, 8, "-";
        IrpCount, 0, 4, "-";
        SystemBuffer, 0, 8, "-";
    }
    io::IRP_OVERLAY, 16, 8, "-" {
        UserApcRoutine, 0, 8, "-";
        UserApcContext, 8, 8, "-";
    }
    io::IRP_TAIL_OVERLAY, 80, 8, "-" {
        DriverContext, 0, 32, "-";
        Thread, 32, 8, "-";
        AuxiliaryBuffer, 40, 8, "-";
        ListEntry, 48, 16, "-";
        CurrentStackLocation, 64, 8, "-";
        OriginalFileObject, 72, 8, "-";
    }
    io::IRP_TAIL, 88, 8, "-" {
        Overlay, 0, 80, "-";
        Apc, 0, 88, "-";
        CompletionKey, 0, 8, "-";
    }
    io::IRP, 208, 16, "-" {
        Type, 0, 2, "-";
        Size, 2, 2, "-";
        MdlAddress, 8, 8, "-";
        Flags, 16, 4, "-";
        AssociatedIrp, 24, 8, "-";
        ThreadListEntry, 32, 16, "-";
        IoStatus, 48, 16, "-";
        RequestorMode, 64, 1, "-";
        PendingReturned, 65, 1, "-";
        StackCount, 66, 1, "-";
        CurrentLocation, 67, 1, "-";
        Cancel, 68, 1, "-";
        CancelIrql, 69, 1, "-";
        ApcEnvironment, 70, 1, "-";
        AllocationFlags, 71, 1, "-";
        UserIosb, 72, 8, "-";
        UserEvent, 80, 8, "-";
        Overlay, 88, 16, "-";
        CancelRoutine, 104, 8, "-";
        UserBuffer, 112, 8, "-";
        Tail, 120, 88, "-";
    }
    io::IO_STACK_CREATE, 32, 8, "-" {
        SecurityContext, 0, 8, "-";
        Options, 8, 4, "-";
        FileAttributes, 16, 2, "-";
        ShareAccess, 18, 2, "-";
        EaLength, 24, 4, "-";
    }
    io::IO_STACK_READ_WRITE, 24, 8, "-" {
        Length, 0, 4, "-";
        Key, 8, 4, "-";
        Flags, 12, 4, "-";
        ByteOffset, 16, 8, "-";
    }
    io::IO_STACK_DEVICE_IO_CONTROL, 32, 8, "-" {
        OutputBufferLength, 0, 4, "-";
        InputBufferLength, 8, 4, "-";
        IoControlCode, 16, 4, "-";
        Type3InputBuffer, 24, 8, "-";
    }
    io::IO_STACK_OTHERS, 32, 8, "-" {
        Argument1, 0, 8, "-";
        Argument2, 8, 8, "-";
        Argument3, 16, 8, "-";
        Argument4, 24, 8, "-";
    }
    io::IO_STACK_PARAMETERS, 32, 8, "-" {
        Create, 0, 32, "-";
        Read, 0, 24, "-";
        Write, 0, 24, "-";
        DeviceIoControl, 0, 32, "-";
        Others, 0, 32, "-";
    }
    io::IO_STACK_LOCATION, 72, 8, "-" {
        MajorFunction, 0, 1, "-";
        MinorFunction, 1, 1, "-";
        Flags, 2, 1, "-";
        Control, 3, 1, "-";
        Parameters, 8, 32, "-";
        DeviceObject, 40, 8, "-";
        FileObject, 48, 8, "-";
        CompletionRoutine, 56, 8, "-";
        Context, 64, 8, "-";
    }
    io::IO_SECURITY_CONTEXT, 24, 8, "-" {
        SecurityQos, 0, 8, "-";
        AccessState, 8, 8, "-";
        DesiredAccess, 16, 4, "-";
        FullCreateOptions, 20, 4, "-";
    }
    io::IO_CSQ, 64, 8, "-" {
        Type, 0, 4, "-";
        CsqInsertIrp, 8, 8, "-";
        CsqRemoveIrp, 16, 8, "-";
        CsqPeekNextIrp, 24, 8, "-";
        CsqAcquireLock, 32, 8, "-";
        CsqReleaseLock, 40, 8, "-";
        CsqCompleteCanceledIrp, 48, 8, "-";
        ReservePointer, 56, 8, "-";
    }
    io::IO_CSQ_IRP_CONTEXT, 24, 8, "-" {
        Type, 0, 4, "-";
        Irp, 8, 8, "-";
        Csq, 16, 8, "-";
    }
    ke::DISPATCHER_HEADER, 24, 8, "-" {
        Type, 0, 1, "-";
        Signalling, 1, 1, "-";
        Size, 2, 1, "-";
        Reserved1, 3, 1, "-";
        SignalState, 4, 4, "-";
        WaitListHead, 8, 16, "-";
    }
    ke::KEVENT, 24, 8, "-" {
        Header, 0, 24, "-";
    }
    ke::KSEMAPHORE, 32, 8, "-" {
        Header, 0, 24, "-";
        Limit, 24, 4, "-";
    }
    ke::KDPC, 64, 8, "-" {
        Type, 0, 1, "-";
        Importance, 1, 1, "-";
        Number, 2, 2, "-";
        DpcListEntry, 8, 8, "-";
        ProcessorHistory, 16, 8, "-";
        DeferredRoutine, 24, 8, "-";
        DeferredContext, 32, 8, "-";
        SystemArgument1, 40, 8, "-";
        SystemArgument2, 48, 8, "-";
        DpcData, 56, 8, "-";
    }
    ke::KTIMER, 64, 8, "-" {
        Header, 0, 24, "-";
        DueTime, 24, 8, "-";
        TimerListEntry, 32, 16, "-";
        Dpc, 48, 8, "-";
        Processor, 56, 2, "-";
        TimerType, 58, 2, "-";
        Period, 60, 4, "-";
    }
    ke::KSPIN_LOCK_QUEUE, 16, 8, "-" {
        Next, 0, 8, "-";
        Lock, 8, 8, "-";
    }
    ke::KLOCK_QUEUE_HANDLE, 24, 8, "-" {
        LockQueue, 0, 16, "-";
        OldIrql, 16, 1, "-";
    }
    ke::KWAIT_BLOCK, 48, 8, "-" {
        WaitListEntry, 0, 16, "-";
        WaitType, 16, 1, "-";
        BlockState, 17, 1, "-";
        WaitKey, 18, 2, "-";
        SpareLong, 20, 4, "-";
        Thread, 24, 8, "-";
        Object, 32, 8, "-";
        SparePtr, 40, 8, "-";
    }
    ke::KDEVICE_QUEUE, 40, 8, "-" {
        Type, 0, 2, "-";
        Size, 2, 2, "-";
        DeviceListHead, 8, 16, "-";
        Lock, 24, 8, "-";
        Busy, 32, 1, "-";
    }
    #[cfg(target_arch = "x86_64")]
    ke::XSTATE_SAVE, 56, 8, "-" {
        Prev, 0, 8, "-";
        Thread, 8, 8, "-";
        Level, 16, 1, "-";
        XStateContext, 24, 32, "-";
    }
    mm::MDL, 48, 8, "-" {
        Next, 0, 8, "-";
        Size, 8, 2, "-";
        MdlFlags, 10, 2, "-";
        Process, 16, 8, "-";
        MappedSystemVa, 24, 8, "-";
        StartVa, 32, 8, "-";
        ByteCount, 40, 4, "-";
        ByteOffset, 44, 4, "-";
    }
    ndis::NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES, 32, 8, "6.0" {
        Header, 0, 4, "6.0";
        MiniportAdapterContext, 8, 8, "6.0";
        AttributeFlags, 16, 4, "6.0";
        CheckForHangTimeInSeconds, 20, 4, "6.0";
        InterfaceType, 24, 4, "6.0";
    }
    ndis::NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES, 224, 8, "6.20" {
        Header, 0, 4, "6.0";
        Flags, 4, 4, "6.0";
        MediaType, 8, 4, "6.0";
        PhysicalMediumType, 12, 4, "6.0";
        MtuSize, 16, 4, "6.0";
        MaxXmitLinkSpeed, 24, 8, "6.0";
        XmitLinkSpeed, 32, 8, "6.0";
        MaxRcvLinkSpeed, 40, 8, "6.0";
        RcvLinkSpeed, 48, 8, "6.0";
        MediaConnectState, 56, 4, "6.0";
        MediaDuplexState, 60, 4, "6.0";
        LookaheadSize, 64, 4, "6.0";
        PowerManagementCapabilities, 72, 8, "6.0";
        MacOptions, 80, 4, "6.0";
        SupportedPacketFilters, 84, 4, "6.0";
        MaxMulticastListSize, 88, 4, "6.0";
        MacAddressLength, 92, 2, "6.0";
        PermanentMacAddress, 94, 32, "6.0";
        CurrentMacAddress, 126, 32, "6.0";
        RecvScaleCapabilities, 160, 8, "6.0";
        AccessType, 168, 4, "6.0";
        DirectionType, 172, 4, "6.0";
        ConnectionType, 176, 4, "6.0";
        IfType, 180, 2, "6.0";
        IfConnectorPresent, 182, 1, "6.0";
        SupportedStatistics, 184, 4, "6.0";
        SupportedPauseFunctions, 188, 4, "6.0";
        DataBackFillSize, 192, 4, "6.0";
        ContextBackFillSize, 196, 4, "6.0";
        SupportedOidList, 200, 8, "6.0";
        SupportedOidListLength, 208, 4, "6.0";
        AutoNegotiationFlags, 212, 4, "6.0";
        PowerManagementCapabilitiesEx, 216, 8, "6.20";
    }
    ndis::NDIS_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES, 40, 8, "6.0" {
        Header, 0, 4, "6.0";
        DefaultOffloadConfiguration, 8, 8, "6.0";
        HardwareOffloadCapabilities, 16, 8, "6.0";
        DefaultTcpConnectionOffloadConfiguration, 24, 8, "6.0";
        TcpConnectionOffloadHardwareCapabilities, 32, 8, "6.0";
    }
    ndis::NDIS_PM_CAPABILITIES, 60, 4, "6.30" {
        Header, 0, 4, "6.20";
        Flags, 4, 4, "6.20";
        SupportedWoLPacketPatterns, 8, 4, "6.20";
        NumTotalWoLPatterns, 12, 4, "6.20";
        MaxWoLPatternSize, 16, 4, "6.20";
        MaxWoLPatternOffset, 20, 4, "6.20";
        MaxWoLPacketSaveBuffer, 24, 4, "6.20";
        SupportedProtocolOffloads, 28, 4, "6.20";
        NumArpOffloadIPv4Addresses, 32, 4, "6.20";
        NumNSOffloadIPv6Addresses, 36, 4, "6.20";
        MinMagicPacketWakeUp, 40, 4, "6.20";
        MinPatternWakeUp, 44, 4, "6.20";
        MinLinkChangeWakeUp, 48, 4, "6.20";
        SupportedWakeUpEvents, 52, 4, "6.30";
        MediaSpecificWakeUpEvents, 56, 4, "6.30";
    }
    ndis::NDIS_CONFIGURATION_OBJECT, 24, 8, "6.0" {
        Header, 0, 4, "6.0";
        NdisHandle, 8, 8, "6.0";
        Flags, 16, 4, "6.0";
    }
    ndis::NDIS_CONFIGURATION_PARAMETER, 24, 8, "6.0" {
        ParameterType, 0, 4, "6.0";
        ParameterData, 8, 16, "6.0";
    }
    ndis::NDIS_CONFIGURATION_PARAMETER_DATA, 16, 8, "6.0" {
        IntegerData, 0, 4, "6.0";
        StringData, 0, 16, "6.0";
        BinaryData, 0, 16, "6.0";
    }
    ndis::BINARY_DATA, 16, 8, "6.0" {
        Length, 0, 2, "6.0";
        Buffer, 8, 8, "6.0";
    }
    ndis::NDIS_DEVICE_OBJECT_ATTRIBUTES, 56, 8, "6.0" {
        Header, 0, 4, "6.0";
        DeviceName, 8, 8, "6.0";
        SymbolicName, 16, 8, "6.0";
        MajorFunctions, 24, 8, "6.0";
        ExtensionSize, 32, 4, "6.0";
        DefaultSDDLString, 40, 8, "6.0";
        DeviceClassGuid, 48, 8, "6.0";
    }
    ndis::NDIS_LINK_STATE, 40, 8, "6.0" {
        Header, 0, 4, "6.0";
        MediaConnectState, 4, 4, "6.0";
        MediaDuplexState, 8, 4, "6.0";
        XmitLinkSpeed, 16, 8, "6.0";
        RcvLinkSpeed, 24, 8, "6.0";
        PauseFunctions, 32, 4, "6.0";
        AutoNegotiationFlags, 36, 4, "6.0";
    }
    ndis::NDIS_LINK_PARAMETERS, 32, 8, "6.0" {
        Header, 0, 4, "6.0";
        MediaDuplexState, 4, 4, "6.0";
        XmitLinkSpeed, 8, 8, "6.0";
        RcvLinkSpeed, 16, 8, "6.0";
        PauseFunctions, 24, 4, "6.0";
        AutoNegotiationFlags, 28, 4, "6.0";
    }
    ndis::NDIS_MINIPORT_DRIVER_CHARACTERISTICS, 160, 8, "6.80" {
        Header, 0, 4, "6.0";
        MajorNdisVersion, 4, 1, "6.0";
        MinorNdisVersion, 5, 1, "6.0";
        MajorDriverVersion, 6, 1, "6.0";
        MinorDriverVersion, 7, 1, "6.0";
        Flags, 8, 4, "6.0";
        SetOptionsHandler, 16, 8, "6.0";
        InitializeHandlerEx, 24, 8, "6.0";
        HaltHandlerEx, 32, 8, "6.0";
        UnloadHandler, 40, 8, "6.0";
        PauseHandler, 48, 8, "6.0";
        RestartHandler, 56, 8, "6.0";
        OidRequestHandler, 64, 8, "6.0";
        SendNetBufferListsHandler, 72, 8, "6.0";
        ReturnNetBufferListsHandler, 80, 8, "6.0";
        CancelSendHandler, 88, 8, "6.0";
        CheckForHangHandlerEx, 96, 8, "6.0";
        ResetHandlerEx, 104, 8, "6.0";
        DevicePnPEventNotifyHandler, 112, 8, "6.0";
        ShutdownHandlerEx, 120, 8, "6.0";
        CancelOidRequestHandler, 128, 8, "6.0";
        DirectOidRequestHandler, 136, 8, "6.1";
        CancelDirectOidRequestHandler, 144, 8, "6.1";
        SynchronousOidRequestHandler, 152, 8, "6.80";
    }
    ndis::NDIS_MINIPORT_INIT_PARAMETERS, 64, 8, "6.0" {
        Header, 0, 4, "6.0";
        Flags, 4, 4, "6.0";
        AllocatedResources, 8, 8, "6.0";
        IMDeviceInstanceContext, 16, 8, "6.0";
        MiniportAddDeviceContext, 24, 8, "6.0";
        IfIndex, 32, 4, "6.0";
        NetLuid, 40, 8, "6.0";
        DefaultPortAuthStates, 48, 8, "6.0";
        PciDeviceCustomProperties, 56, 8, "6.0";
    }
    ndis::NDIS_MINIPORT_PAUSE_PARAMETERS, 12, 4, "6.0" {
        Header, 0, 4, "6.0";
        Flags, 4, 4, "6.0";
        PauseReason, 8, 4, "6.0";
    }
    ndis::NDIS_MINIPORT_RESTART_PARAMETERS, 24, 8, "6.0" {
        Header, 0, 4, "6.0";
        RestartAttributes, 8, 8, "6.0";
        Flags, 16, 4, "6.0";
    }
    ndis::NDIS_RESTART_ATTRIBUTES, 32, 16, "6.0" {
        Next, 0, 8, "6.0";
        Oid, 8, 4, "6.0";
        DataLength, 12, 4, "6.0";
        Data, 16, 1, "6.0";
    }
    ndis::NET_DEVICE_PNP_EVENT, 48, 8, "6.0" {
        Header, 0, 4, "6.0";
        PortNumber, 4, 4, "6.0";
        DevicePnPEvent, 8, 4, "6.0";
        InformationBuffer, 16, 8, "6.0";
        InformationBufferLength, 24, 4, "6.0";
        NdisReserved, 28, 16, "6.0";
    }
    ndis::NET_BUFFER, 176, 16, "6.0" {
        Next, 0, 8, "6.0";
        CurrentMdl, 8, 8, "6.0";
        CurrentMdlOffset, 16, 4, "6.0";
        DataLength, 24, 4, "6.0";
        MdlChain, 32, 8, "6.0";
        DataOffset, 40, 4, "6.0";
        ChecksumBias, 48, 2, "6.0";
        Reserved, 50, 2, "6.0";
        NdisPoolHandle, 56, 8, "6.0";
        NdisReserved, 64, 16, "6.0";
        ProtocolReserved, 80, 48, "6.0";
        MiniportReserved, 128, 32, "6.0";
        DataPhysicalAddress, 160, 8, "6.0";
        SharedMemoryInfo, 168, 8, "6.20";
    }
    ndis::NET_BUFFER_POOL_PARAMETERS, 16, 4, "6.87" {
        Header, 0, 4, "6.0";
        PoolTag, 4, 4, "6.0";
        DataSize, 8, 4, "6.0";
        Flags, 12, 4, "6.87";
    }
    ndis::NET_BUFFER_LIST, 368, 16, "6.80" {
        Next, 0, 8, "6.0";
        FirstNetBuffer, 8, 8, "6.0";
        Context, 16, 8, "6.0";
        ParentNetBufferList, 24, 8, "6.0";
        NdisPoolHandle, 32, 8, "6.0";
        NdisReserved, 48, 16, "6.0";
        ProtocolReserved, 64, 32, "6.0";
        MiniportReserved, 96, 16, "6.0";
        Scratch, 112, 8, "6.0";
        SourceHandle, 120, 8, "6.0";
        NblFlags, 128, 4, "6.0";
        ChildRefCount, 132, 4, "6.0";
        Flags, 136, 4, "6.0";
        Status, 140, 4, "6.0";
        NetBufferListInfo, 144, 216, "6.80";
    }
    ndis::NET_BUFFER_LIST_CONTEXT, 16, 16, "6.0" {
        Next, 0, 8, "6.0";
        Size, 8, 2, "6.0";
        Offset, 10, 2, "6.0";
        ContextData, 16, 0, "6.0";
    }
    ndis::NDIS_TCP_IP_CHECKSUM_NET_BUFFER_LIST_INFO, 8, 8, "6.0" {
        Value, 0, 8, "6.0";
    }
    ndis::NDIS_TCP_LARGE_SEND_OFFLOAD_NET_BUFFER_LIST_INFO, 8, 8, "6.0" {
        Value, 0, 8, "6.0";
    }
    ndis::NDIS_UDP_SEGMENTATION_OFFLOAD_NET_BUFFER_LIST_INFO, 8, 8, "6.83" {
        Value, 0, 8, "6.83";
    }
    ndis::NDIS_RSC_NBL_INFO, 8, 8, "6.30" {
        Value, 0, 8, "6.30";
    }
    ndis::NET_BUFFER_LIST_POOL_PARAMETERS, 20, 4, "6.87" {
        Header, 0, 4, "6.0";
        ProtocolId, 4, 1, "6.0";
        fAllocateNetBuffer, 5, 1, "6.0";
        ContextSize, 6, 2, "6.0";
        PoolTag, 8, 4, "6.0";
        DataSize, 12, 4, "6.0";
        Flags, 16, 4, "6.87";
    }
    ndis::NDIS_OBJECT_HEADER, 4, 2, "6.0" {
        Type, 0, 1, "6.0";
        Revision, 1, 1, "6.0";
        Size, 2, 2, "6.0";
    }
    ndis::NDIS_OFFLOAD, 216, 4, "6.83" {
        Header, 0, 4, "6.0";
        Checksum, 4, 32, "6.0";
        LsoV1, 36, 16, "6.0";
        IPsecV1, 52, 28, "6.0";
        LsoV2, 80, 28, "6.0";
        Flags, 108, 4, "6.0";
        IPsecV2, 112, 32, "6.1";
        Rsc, 144, 2, "6.30";
        EncapsulatedPacketTaskOffloadGre, 148, 8, "6.30";
        EncapsulatedPacketTaskOffloadVxlan, 156, 20, "6.50";
        EncapsulationTypes, 176, 1, "6.50";
        Rfc6877Xlat, 180, 8, "6.70";
        UdpSegmentation, 188, 28, "6.83";
    }
    ndis::NDIS_TCP_IP_CHECKSUM_OFFLOAD, 32, 4, "6.0" {
        IPv4Transmit, 0, 8, "6.0";
        IPv4Receive, 8, 8, "6.0";
        IPv6Transmit, 16, 8, "6.0";
        IPv6Receive, 24, 8, "6.0";
    }
    ndis::NDIS_CHECKSUM_OFFLOAD_FIELDS, 8, 4, "6.0" {
        Encapsulation, 0, 4, "6.0";
        Supported, 4, 4, "6.0";
    }
    ndis::NDIS_TCP_LARGE_SEND_OFFLOAD_V1, 16, 4, "6.0" {
        Encapsulation, 0, 4, "6.0";
        MaxOffLoadSize, 4, 4, "6.0";
        MinSegmentCount, 8, 4, "6.0";
        Options, 12, 4, "6.0";
    }
    ndis::NDIS_IPSEC_OFFLOAD_V1, 28, 4, "6.0" {
        Supported, 0, 20, "6.0";
        IPv4AH, 20, 4, "6.0";
        IPv4ESP, 24, 4, "6.0";
    }
    ndis::NDIS_TCP_LARGE_SEND_OFFLOAD_V2, 28, 4, "6.0" {
        IPv4, 0, 12, "6.0";
        IPv6, 12, 12, "6.0";
        IPv6Options, 24, 4, "6.0";
    }
    ndis::NDIS_SEGMENTATION_OFFLOAD_FIELDS, 12, 4, "6.0" {
        Encapsulation, 0, 4, "6.0";
        MaxOffLoadSize, 4, 4, "6.0";
        MinSegmentCount, 8, 4, "6.0";
    }
    ndis::NDIS_IPSEC_OFFLOAD_V2, 32, 4, "6.1" {
        Encapsulation, 0, 4, "6.1";
        Supported, 4, 11, "6.1";
        UdpEsp, 16, 4, "6.1";
        AuthenticationAlgorithms, 20, 4, "6.1";
        EncryptionAlgorithms, 24, 4, "6.1";
        SaOffloadCapacity, 28, 4, "6.1";
    }
    ndis::NDIS_TCP_RECV_SEG_COALESCE_OFFLOAD, 2, 1, "6.30" {
        IPv4Enabled, 0, 1, "6.30";
        IPv6Enabled, 1, 1, "6.30";
    }
    ndis::NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD, 8, 4, "6.30" {
        Supported, 0, 4, "6.30";
        MaxHeaderSizeSupported, 4, 4, "6.30";
    }
    ndis::NDIS_ENCAPSULATED_PACKET_TASK_OFFLOAD_V2, 20, 4, "6.50" {
        Supported, 0, 4, "6.50";
        MaxHeaderSizeSupported, 4, 4, "6.50";
        EncapsulationProtocolInfo, 8, 4, "6.50";
        Reserved, 12, 8, "6.50";
    }
    ndis::NDIS_RFC6877_464XLAT_OFFLOAD, 8, 4, "6.70" {
        XlatOffload, 0, 4, "6.70";
        Flags, 4, 4, "6.70";
    }
    ndis::NDIS_UDP_SEGMENTATION_OFFLOAD, 28, 4, "6.83" {
        IPv4, 0, 12, "6.83";
        IPv6, 12, 12, "6.83";
        IPv6Options, 24, 4, "6.83";
    }
    ndis::NDIS_TCP_CONNECTION_OFFLOAD, 20, 4, "6.0" {
        Header, 0, 4, "6.0";
        Encapsulation, 4, 4, "6.0";
        Supported, 8, 4, "6.0";
        TcpConnectionOffloadCapacity, 12, 4, "6.0";
        Flags, 16, 4, "6.0";
    }
    ndis::NDIS_OFFLOAD_PARAMETERS, 36, 4, "6.83" {
        Header, 0, 4, "6.0";
        IPv4Checksum, 4, 1, "6.0";
        TCPIPv4Checksum, 5, 1, "6.0";
        UDPIPv4Checksum, 6, 1, "6.0";
        TCPIPv6Checksum, 7, 1, "6.0";
        UDPIPv6Checksum, 8, 1, "6.0";
        LsoV1, 9, 1, "6.0";
        IPsecV1, 10, 1, "6.0";
        LsoV2IPv4, 11, 1, "6.0";
        LsoV2IPv6, 12, 1, "6.0";
        TcpConnectionIPv4, 13, 1, "6.0";
        TcpConnectionIPv6, 14, 1, "6.0";
        Flags, 16, 4, "6.0";
        IPsecV2, 20, 1, "6.1";
        IPsecV2IPv4, 21, 1, "6.1";
        RscIPv4, 22, 1, "6.30";
        RscIPv6, 23, 1, "6.30";
        EncapsulatedPacketTaskOffload, 24, 1, "6.30";
        EncapsulationTypes, 25, 1, "6.30";
        EncapsulationProtocolParameters, 28, 4, "6.50";
        UdpSegmentationIPv4, 32, 1, "6.83";
        UdpSegmentationIPv6, 33, 1, "6.83";
    }
    ndis::NDIS_OFFLOAD_ENCAPSULATION, 28, 4, "6.0" {
        Header, 0, 4, "6.0";
        IPv4, 4, 12, "6.0";
        IPv6, 16, 12, "6.0";
    }
    ndis::NDIS_OFFLOAD_ENCAPSULATION_FIELDS, 12, 4, "6.0" {
        Enabled, 0, 4, "6.0";
        EncapsulationType, 4, 4, "6.0";
        HeaderSize, 8, 4, "6.0";
    }
    ndis::NDIS_OID_REQUEST, 248, 8, "6.50" {
        Header, 0, 4, "6.0";
        RequestType, 4, 4, "6.0";
        PortNumber, 8, 4, "6.0";
        Timeout, 12, 4, "6.0";
        RequestId, 16, 8, "6.0";
        RequestHandle, 24, 8, "6.0";
        DATA, 32, 40, "6.0";
        NdisReserved, 72, 128, "6.0";
        MiniportReserved, 200, 16, "6.0";
        SourceReserved, 216, 16, "6.0";
        SupportedRevision, 232, 1, "6.0";
        Reserved1, 233, 1, "6.0";
        Reserved2, 234, 2, "6.0";
        SwitchId, 236, 4, "6.50";
        VPortId, 240, 4, "6.50";
        Flags, 244, 4, "6.50";
    }
    ndis::NDIS_OID_REQUEST_DATA, 40, 8, "6.0" {
        Oid, 0, 4, "6.0";
        QUERY_INFORMATION, 0, 32, "6.0";
        SET_INFORMATION, 0, 32, "6.0";
        METHOD_INFORMATION, 0, 40, "6.0";
    }
    ndis::NDIS_OID_REQUEST_QUERY, 32, 8, "6.0" {
        Oid, 0, 4, "6.0";
        InformationBuffer, 8, 8, "6.0";
        InformationBufferLength, 16, 4, "6.0";
        BytesWritten, 20, 4, "6.0";
        BytesNeeded, 24, 4, "6.0";
    }
    ndis::NDIS_OID_REQUEST_SET, 32, 8, "6.0" {
        Oid, 0, 4, "6.0";
        InformationBuffer, 8, 8, "6.0";
        InformationBufferLength, 16, 4, "6.0";
        BytesRead, 20, 4, "6.0";
        BytesNeeded, 24, 4, "6.0";
    }
    ndis::NDIS_OID_REQUEST_METHOD, 40, 8, "6.0" {
        Oid, 0, 4, "6.0";
        InformationBuffer, 8, 8, "6.0";
        InputBufferLength, 16, 4, "6.0";
        OutputBufferLength, 20, 4, "6.0";
        MethodId, 24, 4, "6.0";
        BytesWritten, 28, 4, "6.0";
        BytesRead, 32, 4, "6.0";
        BytesNeeded, 36, 4, "6.0";
    }
    ndis::NDIS_STATUS_INDICATION, 112, 8, "6.0" {
        Header, 0, 4, "6.0";
        SourceHandle, 8, 8, "6.0";
        PortNumber, 16, 4, "6.0";
        StatusCode, 20, 4, "6.0";
        Flags, 24, 4, "6.0";
        DestinationHandle, 32, 8, "6.0";
        RequestId, 40, 8, "6.0";
        StatusBuffer, 48, 8, "6.0";
        StatusBufferSize, 56, 4, "6.0";
        Guid, 60, 16, "6.0";
        NdisReserved, 80, 32, "6.0";
    }
    ndis::NDIS_INTERRUPT_MODERATION_PARAMETERS, 12, 4, "6.0" {
        Header, 0, 4, "6.0";
        Flags, 4, 4, "6.0";
        InterruptModeration, 8, 4, "6.0";
    }
    ndis::NDIS_STATISTICS_INFO, 152, 8, "6.0" {
        Header, 0, 4, "6.0";
        SupportedStatistics, 4, 4, "6.0";
        ifInDiscards, 8, 8, "6.0";
        ifInErrors, 16, 8, "6.0";
        ifHCInOctets, 24, 8, "6.0";
        ifHCInUcastPkts, 32, 8, "6.0";
        ifHCInMulticastPkts, 40, 8, "6.0";
        ifHCInBroadcastPkts, 48, 8, "6.0";
        ifHCOutOctets, 56, 8, "6.0";
        ifHCOutUcastPkts, 64, 8, "6.0";
        ifHCOutMulticastPkts, 72, 8, "6.0";
        ifHCOutBroadcastPkts, 80, 8, "6.0";
        ifOutErrors, 88, 8, "6.0";
        ifOutDiscards, 96, 8, "6.0";
        ifHCInUcastOctets, 104, 8, "6.0";
        ifHCInMulticastOctets, 112, 8, "6.0";
        ifHCInBroadcastOctets, 120, 8, "6.0";
        ifHCOutUcastOctets, 128, 8, "6.0";
        ifHCOutMulticastOctets, 136, 8, "6.0";
        ifHCOutBroadcastOctets, 144, 8, "6.0";
    }
    netioapi::MIB_IPINTERFACE_ROW, 168, 8, "-" {
        Family, 0, 2, "-";
        InterfaceLuid, 8, 8, "-";
        InterfaceIndex, 16, 4, "-";
        MaxReassemblySize, 20, 4, "-";
        InterfaceIdentifier, 24, 8, "-";
        MinRouterAdvertisementInterval, 32, 4, "-";
        MaxRouterAdvertisementInterval, 36, 4, "-";
        AdvertisingEnabled, 40, 1, "-";
        ForwardingEnabled, 41, 1, "-";
        WeakHostSend, 42, 1, "-";
        WeakHostReceive, 43, 1, "-";
        UseAutomaticMetric, 44, 1, "-";
        UseNeighborUnreachabilityDetection, 45, 1, "-";
        ManagedAddressConfigurationSupported, 46, 1, "-";
        OtherStatefulConfigurationSupported, 47, 1, "-";
        AdvertiseDefaultRoute, 48, 1, "-";
        RouterDiscoveryBehavior, 52, 4, "-";
        DadTransmits, 56, 4, "-";
        BaseReachableTime, 60, 4, "-";
        RetransmitTime, 64, 4, "-";
        PathMtuDiscoveryTimeout, 68, 4, "-";
        LinkLocalAddressBehavior, 72, 4, "-";
        LinkLocalAddressTimeout, 76, 4, "-";
        ZoneIndices, 80, 64, "-";
        SitePrefixLength, 144, 4, "-";
        Metric, 148, 4, "-";
        NlMtu, 152, 4, "-";
        Connected, 156, 1, "-";
        SupportsWakeUpPatterns, 157, 1, "-";
        SupportsNeighborDiscovery, 158, 1, "-";
        SupportsRouterDiscovery, 159, 1, "-";
        ReachableTime, 160, 4, "-";
        TransmitOffload, 164, 1, "-";
        ReceiveOffload, 165, 1, "-";
        DisableDefaultRoutes, 166, 1, "-";
    }
    netioapi::MIB_IPINTERFACE_TABLE, 176, 8, "-" {
        NumEntries, 0, 4, "-";
        Table, 8, 168, "-";
    }
    netioapi::IP_ADDRESS_PREFIX, 32, 4, "-" {
        Prefix, 0, 28, "-";
        PrefixLength, 28, 1, "-";
    }
    netioapi::MIB_IPFORWARD_ROW2, 104, 8, "-" {
        InterfaceLuid, 0, 8, "-";
        InterfaceIndex, 8, 4, "-";
        DestinationPrefix, 12, 32, "-";
        NextHop, 44, 28, "-";
        SitePrefixLength, 72, 1, "-";
        ValidLifetime, 76, 4, "-";
        PreferredLifetime, 80, 4, "-";
        Metric, 84, 4, "-";
        Protocol, 88, 4, "-";
        Loopback, 92, 1, "-";
        AutoconfigureAddress, 93, 1, "-";
        Publish, 94, 1, "-";
        Immortal, 95, 1, "-";
        Age, 96, 4, "-";
        Origin, 100, 4, "-";
    }
    netioapi::MIB_IPFORWARD_TABLE2, 112, 8, "-" {
        NumEntries, 0, 4, "-";
        Table, 8, 104, "-";
    }
    netioapi::MIB_UNICASTIPADDRESS_ROW, 80, 8, "-" {
        Address, 0, 28, "-";
        InterfaceLuid, 32, 8, "-";
        InterfaceIndex, 40, 4, "-";
        PrefixOrigin, 44, 4, "-";
        SuffixOrigin, 48, 4, "-";
        ValidLifetime, 52, 4, "-";
        PreferredLifetime, 56, 4, "-";
        OnLinkPrefixLength, 60, 1, "-";
        SkipAsSource, 61, 1, "-";
        DadState, 64, 4, "-";
        ScopeId, 68, 4, "-";
        CreationTimeStamp, 72, 8, "-";
    }
    netioapi::MIB_UNICASTIPADDRESS_TABLE, 88, 8, "-" {
        NumEntries, 0, 4, "-";
        Table, 8, 80, "-";
    }
    ntdef::UNICODE_STRING, 16, 8, "-" {
        Length, 0, 2, "-";
        MaximumLength, 2, 2, "-";
        Buffer, 8, 8, "-";
    }
    ntdef::LIST_ENTRY, 16, 8, "-" {
        Flink, 0, 8, "-";
        Blink, 8, 8, "-";
    }
    ntdef::SINGLE_LIST_ENTRY, 8, 8, "-" {
        Next, 0, 8, "-";
    }
    ntdef::GUID, 16, 4, "-" {
        Data1, 0, 4, "-";
        Data2, 4, 2, "-";
        Data3, 6, 2, "-";
        Data4, 8, 8, "-";
    }
    ntdef::OBJECT_ATTRIBUTES, 48, 8, "-" {
        Length, 0, 4, "-";
        RootDirectory, 8, 8, "-";
        ObjectName, 16, 8, "-";
        Attributes, 24, 4, "-";
        SecurityDescriptor, 32, 8, "-";
        SecurityQualityOfService, 40, 8, "-";
    }
    ntdef::CLIENT_ID, 16, 8, "-" {
        UniqueProcess, 0, 8, "-";
        UniqueThread, 8, 8, "-";
    }
    ntdef::PROCESSOR_NUMBER, 4, 2, "-" {
        Group, 0, 2, "-";
        Number, 2, 1, "-";
        Reserved, 3, 1, "-";
    }
    ntdef::GROUP_AFFINITY, 16, 8, "-" {
        Mask, 0, 8, "-";
        Group, 8, 2, "-";
        Reserved, 10, 6, "-";
    }
    rtl::RTL_OSVERSIONINFOW, 276, 4, "-" {
        dwOSVersionInfoSize, 0, 4, "-";
        dwMajorVersion, 4, 4, "-";
        dwMinorVersion, 8, 4, "-";
        dwBuildNumber, 12, 4, "-";
        dwPlatformId, 16, 4, "-";
        szCSDVersion, 20, 256, "-";
    }
    rtl::XSTATE_CONTEXT, 32, 8, "-" {
        Mask, 0, 8, "-";
        Length, 8, 4, "-";
        Reserved1, 12, 4, "-";
        Area, 16, 8, "-";
        Buffer, 24, 8, "-";
    }
    se::SECURITY_SUBJECT_CONTEXT, 32, 8, "-" {
        ClientToken, 0, 8, "-";
        ImpersonationLevel, 8, 4, "-";
        PrimaryToken, 16, 8, "-";
        ProcessAuditId, 24, 8, "-";
    }
    se::GENERIC_MAPPING, 16, 4, "-" {
        GenericRead, 0, 4, "-";
        GenericWrite, 4, 4, "-";
        GenericExecute, 8, 4, "-";
        GenericAll, 12, 4, "-";
    }
    wsk::WSK_CLIENT_NPI, 16, 8, "-" {
        ClientContext, 0, 8, "-";
        Dispatch, 8, 8, "-";
    }
    wsk::WSK_CLIENT_DISPATCH, 16, 8, "-" {
        Version, 0, 2, "-";
        Reserved, 2, 2, "-";
        WskClientEvent, 8, 8, "-";
    }
    wsk::WSK_REGISTRATION, 24, 8, "-" {
        ReservedRegistrationState, 0, 8, "-";
        ReservedRegistrationContext, 8, 8, "-";
        ReservedRegistrationLock, 16, 8, "-";
    }
    wsk::WSK_CLIENT_DATAGRAM_DISPATCH, 8, 8, "-" {
        WskReceiveFromEvent, 0, 8, "-";
    }
    wsk::WSK_DATAGRAM_INDICATION, 56, 8, "-" {
        Next, 0, 8, "-";
        Buffer, 8, 24, "-";
        ControlInfo, 32, 8, "-";
        ControlInfoLength, 40, 4, "-";
        RemoteAddress, 48, 8, "-";
    }
    wsk::WSK_EVENT_CALLBACK_CONTROL, 16, 8, "-" {
        NpiId, 0, 8, "-";
        EventMask, 8, 4, "-";
    }
    wsk::WSK_PROVIDER_NPI, 16, 8, "-" {
        Client, 0, 8, "-";
        Dispatch, 8, 8, "-";
    }
    wsk::WSK_PROVIDER_DISPATCH, 56, 8, "-" {
        Version, 0, 2, "-";
        Reserved, 2, 2, "-";
        WskSocket, 8, 8, "-";
        WskSocketConnect, 16, 8, "-";
        WskControlClient, 24, 8, "-";
        WskGetAddressInfo, 32, 8, "-";
        WskFreeAddressInfo, 40, 8, "-";
        WskGetNameInfo, 48, 8, "-";
    }
    wsk::WSK_SOCKET, 8, 8, "-" {
        Dispatch, 0, 8, "-";
    }
    wsk::WSK_PROVIDER_BASIC_DISPATCH, 16, 8, "-" {
        WskControlSocket, 0, 8, "-";
        WskCloseSocket, 8, 8, "-";
    }
    wsk::WSK_PROVIDER_DATAGRAM_DISPATCH, 64, 8, "-" {
        Basic, 0, 16, "-";
        WskBind, 16, 8, "-";
        WskSendTo, 24, 8, "-";
        WskReceiveFrom, 32, 8, "-";
        WskRelease, 40, 8, "-";
        WskGetLocalAddress, 48, 8, "-";
        WskSendMessages, 56, 8, "-";
    }
    wsk::WSK_BUF, 24, 8, "-" {
        Mdl, 0, 8, "-";
        Offset, 8, 4, "-";
        Length, 16, 8, "-";
    }
    wsk::WSK_BUF_LIST, 32, 8, "-" {
        Next, 0, 8, "-";
        Buffer, 8, 24, "-";
    }
    wsk::WSK_TRANSPORT, 28, 4, "-" {
        Version, 0, 2, "-";
        SocketType, 2, 2, "-";
        Protocol, 4, 4, "-";
        AddressFamily, 8, 2, "-";
        ProviderId, 12, 16, "-";
    }
    wsk::SOCKADDR, 16, 2, "-" {
        sa_family, 0, 2, "-";
        sa_data, 2, 14, "-";
    }
    wsk::IN_ADDR, 4, 4, "-" {
        S_addr, 0, 4, "-";
    }
    wsk::SOCKADDR_IN, 16, 4, "-" {
        sin_family, 0, 2, "-";
        sin_port, 2, 2, "-";
        sin_addr, 4, 4, "-";
        sin_zero, 8, 8, "-";
    }
    wsk::CMSGHDR, 16, 8, "-" {
        cmsg_len, 0, 8, "-";
        cmsg_level, 8, 4, "-";
        cmsg_type, 12, 4, "-";
    }
    wsk::IN6_ADDR, 16, 2, "-" {
        Byte, 0, 16, "-";
    }
    wsk::SOCKADDR_IN6, 28, 4, "-" {
        sin6_family, 0, 2, "-";
        sin6_port, 2, 2, "-";
        sin6_flowinfo, 4, 4, "-";
        sin6_addr, 8, 16, "-";
        sin6_scope_id, 24, 4, "-";
    }
    wsk::SOCKADDR_INET, 28, 4, "-" {
        Ipv4, 0, 16, "-";
        Ipv6, 0, 28, "-";
        si_family, 0, 2, "-";
    }
    wsk::IN_PKTINFO, 8, 4, "-" {
        ipi_addr, 0, 4, "-";
        ipi_ifindex, 4, 4, "-";
    }
    wsk::IN6_PKTINFO, 20, 4, "-" {
        ipi6_addr, 0, 16, "-";
        ipi6_ifindex, 16, 4, "-";
    }
}
