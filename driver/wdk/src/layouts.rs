//! Compares nt-sys's layouts with those that bindgen finds in the headers of the installed WDK. A
//! difference doesn't compile.
//!
//! NDIS and WSK are not in wdk-sys; `cargo xtask check-layouts` covers them. Fields of C's
//! anonymous unions are not compared: bindgen invents names for them.

use core::mem::offset_of;

macro_rules! same {
    ($($module:ident::$name:ident { $($field:ident)* })*) => {$(
        const _: () = {
            type Ours = nt_sys::$module::$name;
            type Theirs = wdk_sys::$name;
            assert!(
                size_of::<Ours>() == size_of::<Theirs>()
                    && align_of::<Ours>() == align_of::<Theirs>(),
                concat!(stringify!($name), ": size or alignment is not the WDK's"),
            );
            $(assert!(
                offset_of!(Ours, $field) == offset_of!(Theirs, $field),
                concat!(stringify!($name), ".", stringify!($field), ": offset is not the WDK's"),
            );)*
        };
    )*};
}

same! {
    ex::EX_RUNDOWN_REF {}
    io::IO_STATUS_BLOCK { Information }
    io::DRIVER_OBJECT {
        Type Size DeviceObject Flags DriverStart DriverSize DriverSection DriverExtension DriverName
        HardwareDatabase FastIoDispatch DriverInit DriverStartIo DriverUnload MajorFunction
    }
    io::DEVICE_OBJECT {
        Type Size ReferenceCount DriverObject NextDevice AttachedDevice CurrentIrp Timer Flags
        Characteristics Vpb DeviceExtension DeviceType StackSize Queue AlignmentRequirement
        DeviceQueue Dpc ActiveThreadCount SecurityDescriptor DeviceLock SectorSize Spare1
        DeviceObjectExtension Reserved
    }
    io::FILE_OBJECT {
        Type Size DeviceObject Vpb FsContext FsContext2 SectionObjectPointer PrivateCacheMap
        FinalStatus RelatedFileObject LockOperation DeletePending ReadAccess WriteAccess
        DeleteAccess SharedRead SharedWrite SharedDelete Flags FileName CurrentByteOffset Waiters
        Busy LastLock Lock Event CompletionContext IrpListLock IrpList FileObjectExtension
    }
    io::IRP {
        Type Size MdlAddress Flags AssociatedIrp ThreadListEntry IoStatus RequestorMode
        PendingReturned StackCount CurrentLocation Cancel CancelIrql ApcEnvironment UserEvent
        Overlay CancelRoutine UserBuffer Tail
    }
    io::IO_STACK_LOCATION {
        MajorFunction MinorFunction Flags Control Parameters DeviceObject FileObject
        CompletionRoutine Context
    }
    io::IO_SECURITY_CONTEXT { SecurityQos AccessState DesiredAccess FullCreateOptions }
    io::IO_CSQ {
        Type CsqInsertIrp CsqRemoveIrp CsqPeekNextIrp CsqAcquireLock CsqReleaseLock
        CsqCompleteCanceledIrp ReservePointer
    }
    io::IO_CSQ_IRP_CONTEXT { Type Irp Csq }
    ke::DISPATCHER_HEADER { SignalState WaitListHead }
    ke::KEVENT { Header }
    ke::KSEMAPHORE { Header Limit }
    ke::KDPC {
        DpcListEntry ProcessorHistory DeferredRoutine DeferredContext SystemArgument1
        SystemArgument2 DpcData
    }
    ke::KTIMER { Header DueTime TimerListEntry Dpc Period }
    ke::KSPIN_LOCK_QUEUE { Next Lock }
    ke::KLOCK_QUEUE_HANDLE { LockQueue OldIrql }
    ke::KWAIT_BLOCK { WaitListEntry WaitType BlockState WaitKey Object SparePtr }
    ke::KDEVICE_QUEUE { Type Size DeviceListHead Lock }
    mm::MDL { Next Size MdlFlags Process MappedSystemVa StartVa ByteCount ByteOffset }
    ntdef::UNICODE_STRING { Length MaximumLength Buffer }
    ntdef::LIST_ENTRY { Flink Blink }
    ntdef::SINGLE_LIST_ENTRY { Next }
    ntdef::GUID { Data1 Data2 Data3 Data4 }
    ntdef::OBJECT_ATTRIBUTES {
        Length RootDirectory ObjectName Attributes SecurityDescriptor SecurityQualityOfService
    }
    ntdef::CLIENT_ID { UniqueProcess UniqueThread }
    ntdef::PROCESSOR_NUMBER { Group Number Reserved }
    ntdef::GROUP_AFFINITY { Mask Group Reserved }
    rtl::RTL_OSVERSIONINFOW {
        dwOSVersionInfoSize dwMajorVersion dwMinorVersion dwBuildNumber dwPlatformId szCSDVersion
    }
}
