/* A driver for Wine's driver host (winedevice). A file on one of its devices is a connection to
 * tunicd, by the frames of tunic_ioctl::frame, over a TCP port of the loopback interface; the test
 * connects that to tunicd's Unix socket. What it replaces is listed in docs/windows.md.
 *
 * The values DeviceA, DeviceB, ... of the service's key are the devices: "PORT LINK", where LINK is
 * the symbolic link by which programs open the device. Without a port (0), files do nothing. */
#include <ntddk.h>

typedef UINT_PTR SOCKET;
struct sockaddr_in { short family; unsigned short port; unsigned address; char zero[8]; };
__declspec(dllimport) int __stdcall WSAStartup(unsigned short, void *);
__declspec(dllimport) SOCKET __stdcall socket(int, int, int);
__declspec(dllimport) int __stdcall connect(SOCKET, const void *, int);
__declspec(dllimport) int __stdcall send(SOCKET, const char *, int, int);
__declspec(dllimport) int __stdcall recv(SOCKET, char *, int, int);
__declspec(dllimport) int __stdcall setsockopt(SOCKET, int, int, const char *, int);
__declspec(dllimport) int __stdcall shutdown(SOCKET, int);
__declspec(dllimport) int __stdcall closesocket(SOCKET);
NTSYSAPI NTSTATUS NTAPI ZwWaitForSingleObject(HANDLE, BOOLEAN, PLARGE_INTEGER);

enum { MAGIC = 0x32434e54, IOCTL = 1, READ = 2, WRITE = 3, CANCEL = 4, SHUT_WR = 1 };
/* NEW_PEER and NOTIFY_EVENT of ovpn-dco-win, and WireGuard's log line: requests that may wait. */
enum { NEW_PEER = 0x220004, NOTIFY_EVENT = 0x220038, READ_LOG_LINE = 0xb098c510 };

struct request { ULONG magic, kind; ULONGLONG id; ULONG code, input_bytes, output_bytes, zero; };
struct reply { ULONGLONG id; ULONG status, data_bytes; ULONGLONG information; };
struct waiting { LIST_ENTRY link; ULONGLONG id; IRP *irp; KEVENT *event; };
struct file { SOCKET socket; FAST_MUTEX lock; LIST_ENTRY waiting; ULONGLONG last; HANDLE reader; };
struct extension { unsigned short port; };
struct completion { IO_COMPLETION_ROUTINE *routine; void *context; };

static BOOLEAN receive(SOCKET socket, void *to, int bytes)
{
    for (char *at = to; bytes > 0;) {
        int received = recv(socket, at, bytes, 0);
        if (received <= 0) return FALSE;
        at += received;
        bytes -= received;
    }
    return TRUE;
}

static void *output(IRP *irp)
{
    if (irp->MdlAddress) return MmGetSystemAddressForMdlSafe(irp->MdlAddress, NormalPagePriority);
    return irp->AssociatedIrp.SystemBuffer;
}

static NTSTATUS done(IRP *irp, NTSTATUS status, ULONG_PTR information)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = information;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

/* Takes the request of this id out of the list; with 0, the first. */
static IRP *take(struct file *file, ULONGLONG id, KEVENT **event)
{
    IRP *irp = NULL;
    ExAcquireFastMutex(&file->lock);
    for (LIST_ENTRY *at = file->waiting.Flink; at != &file->waiting; at = at->Flink) {
        struct waiting *waiting = CONTAINING_RECORD(at, struct waiting, link);
        if (id && waiting->id != id) continue;
        RemoveEntryList(at);
        irp = waiting->irp;
        *event = waiting->event;
        ExFreePool(waiting);
        break;
    }
    ExReleaseFastMutex(&file->lock);
    return irp;
}

/* In place of the completion routine of Wine, which frees the request after it. Wine calls
 * IoCancelIrp for requests that have ended since the program cancelled them. So the last ones stay:
 * as they have no cancel routine, nothing comes of it. */
static NTSTATUS NTAPI keep(DEVICE_OBJECT *device, IRP *irp, void *context)
{
    static IRP *volatile kept[1024];
    static volatile LONG count;
    struct completion *completion = context;
    ULONG place = (ULONG)InterlockedIncrement(&count) % (sizeof kept / sizeof *kept);
    IRP *old;
    completion->routine(device, irp, completion->context);
    ExFreePool(completion);
    old = InterlockedExchangePointer((void *volatile *)&kept[place], irp);
    if (old && old->Flags & IRP_DEALLOCATE_BUFFER) ExFreePool(old->AssociatedIrp.SystemBuffer);
    if (old) IoFreeIrp(old);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

/* Has a request stay when it has ended. */
static BOOLEAN will_stay(IRP *irp)
{
    IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(irp);
    struct completion *completion = ExAllocatePool(NonPagedPool, sizeof *completion);
    if (!completion) return FALSE;
    completion->routine = stack->CompletionRoutine;
    completion->context = stack->Context;
    stack->CompletionRoutine = keep;
    stack->Context = completion;
    return TRUE;
}

/* Ends a request: on the thread that waits for it, or here; then no earlier than its cancel routine
 * has run, if that has begun. */
static void answer(IRP *irp, KEVENT *event, NTSTATUS status, ULONG_PTR information)
{
    if (event) {
        irp->IoStatus.Status = status;
        irp->IoStatus.Information = information;
        KeSetEvent(event, 0, FALSE);
    } else {
        KIRQL irql;
        IoAcquireCancelSpinLock(&irql);
        IoSetCancelRoutine(irp, NULL);
        IoReleaseCancelSpinLock(irql);
        done(irp, status, information);
    }
}

/* Reads the answers of a connection until it ends; then all that waits is cancelled. */
static void NTAPI read_answers(void *context)
{
    struct file *file = context;
    struct reply reply;
    KEVENT *event;
    IRP *irp;
    while (receive(file->socket, &reply, sizeof reply)) {
        char *data = reply.data_bytes ? ExAllocatePool(NonPagedPool, reply.data_bytes) : NULL;
        if (reply.data_bytes && (!data || !receive(file->socket, data, reply.data_bytes))) break;
        irp = take(file, reply.id, &event);
        if (irp && data && output(irp)) RtlCopyMemory(output(irp), data, reply.data_bytes);
        if (irp) answer(irp, event, reply.status, reply.information);
        if (data) ExFreePool(data);
    }
    while ((irp = take(file, 0, &event))) answer(irp, event, STATUS_CANCELLED, 0);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static void NTAPI cancel(DEVICE_OBJECT *device, IRP *irp)
{
    struct file *file = IoGetCurrentIrpStackLocation(irp)->FileObject->FsContext;
    struct request request = { MAGIC, CANCEL };
    KIRQL irql = irp->CancelIrql;
    /* Under the spin lock to its end: without it, the request and its file may be gone. */
    ExAcquireFastMutex(&file->lock);
    for (LIST_ENTRY *at = file->waiting.Flink; at != &file->waiting; at = at->Flink) {
        struct waiting *waiting = CONTAINING_RECORD(at, struct waiting, link);
        if (waiting->irp == irp) request.id = waiting->id;
    }
    if (request.id) send(file->socket, (char *)&request, sizeof request, 0);
    ExReleaseFastMutex(&file->lock);
    IoReleaseCancelSpinLock(irql);
}

/* Sends a request. Windows' DeviceIoControl without OVERLAPPED waits for what is pending on a file
 * that was opened for overlapped I/O; Wine 8's doesn't. So only what may wait for long is pending,
 * and the rest is answered before the dispatch routine returns. */
static NTSTATUS forward(struct file *file, IRP *irp, ULONG kind, ULONG code, void *input,
                        ULONG input_bytes, ULONG output_bytes)
{
    BOOLEAN pends = kind == READ || (kind == IOCTL && (code == NEW_PEER || code == NOTIFY_EVENT ||
                                                       code == READ_LOG_LINE));
    struct waiting *waiting = ExAllocatePool(NonPagedPool, sizeof *waiting);
    struct request request = { MAGIC, kind, 0, code, input_bytes, output_bytes, 0 };
    KEVENT event;
    NTSTATUS status;
    if (!waiting || (pends && !will_stay(irp)))
        return done(irp, STATUS_INSUFFICIENT_RESOURCES, 0);
    if (pends) IoMarkIrpPending(irp);
    else KeInitializeEvent(&event, NotificationEvent, FALSE);
    ExAcquireFastMutex(&file->lock);
    request.id = waiting->id = ++file->last;
    waiting->irp = irp;
    waiting->event = pends ? NULL : &event;
    InsertTailList(&file->waiting, &waiting->link);
    if (pends) IoSetCancelRoutine(irp, cancel);
    send(file->socket, (char *)&request, sizeof request, 0);
    if (input_bytes) send(file->socket, input, input_bytes, 0);
    if (kind == IOCTL && (code & 3) == METHOD_IN_DIRECT && output_bytes)
        send(file->socket, output(irp), output_bytes, 0);
    ExReleaseFastMutex(&file->lock);
    if (pends) return STATUS_PENDING;
    KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
    status = irp->IoStatus.Status;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

/* Opens a connection for a file. */
static NTSTATUS open(FILE_OBJECT *object, unsigned short port)
{
    struct sockaddr_in address = { 2, (unsigned short)(port << 8 | port >> 8), 0x0100007f };
    struct file *file = ExAllocatePool(NonPagedPool, sizeof *file);
    NTSTATUS status = STATUS_DEVICE_NOT_READY;
    struct reply greeting;
    int yes = 1;
    if (!file) return STATUS_INSUFFICIENT_RESOURCES;
    RtlZeroMemory(file, sizeof *file);
    ExInitializeFastMutex(&file->lock);
    InitializeListHead(&file->waiting);
    file->socket = socket(2, 1, 0);
    setsockopt(file->socket, 6, 1, (char *)&yes, sizeof yes); /* TCP_NODELAY */
    if (!connect(file->socket, &address, sizeof address) &&
        receive(file->socket, &greeting, sizeof greeting))
        status = greeting.status;
    if (NT_SUCCESS(status))
        status = PsCreateSystemThread(&file->reader, 0, NULL, NULL, NULL, read_answers, file);
    if (NT_SUCCESS(status)) {
        object->FsContext = file;
    } else {
        closesocket(file->socket);
        ExFreePool(file);
    }
    return status;
}

/* Ends the connection of a file, and waits until the other side has closed what it had open. */
static void close(struct file *file)
{
    shutdown(file->socket, SHUT_WR);
    ZwWaitForSingleObject(file->reader, FALSE, NULL);
    ZwClose(file->reader);
    closesocket(file->socket);
    ExFreePool(file);
}

static NTSTATUS NTAPI dispatch(DEVICE_OBJECT *device, IRP *irp)
{
    IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(irp);
    struct file *file = stack->FileObject ? stack->FileObject->FsContext : NULL;
    struct extension *extension = device->DeviceExtension;
    switch (stack->MajorFunction) {
    case IRP_MJ_CREATE:
        return done(irp, extension->port ? open(stack->FileObject, extension->port) : 0, 0);
    case IRP_MJ_CLOSE:
        if (file) close(file);
        return done(irp, STATUS_SUCCESS, 0);
    case IRP_MJ_DEVICE_CONTROL:
    case IRP_MJ_READ:
    case IRP_MJ_WRITE:
        /* Wine opens the file though the driver refuses: it is refused at each request. */
        if (!file) return done(irp, STATUS_ACCESS_DENIED, 0);
        break;
    default:
        return done(irp, STATUS_SUCCESS, 0);
    }
    if (stack->MajorFunction == IRP_MJ_READ)
        return forward(file, irp, READ, 0, NULL, 0, stack->Parameters.Read.Length);
    if (stack->MajorFunction == IRP_MJ_WRITE)
        return forward(file, irp, WRITE, 0, output(irp), stack->Parameters.Write.Length, 0);
    return forward(file, irp, IOCTL, stack->Parameters.DeviceIoControl.IoControlCode,
                   irp->AssociatedIrp.SystemBuffer,
                   stack->Parameters.DeviceIoControl.InputBufferLength,
                   stack->Parameters.DeviceIoControl.OutputBufferLength);
}

/* Wine opens no names below a device: a directory stands for a device interface, and links in it
 * for its reference strings. */
static void add_directory(const WCHAR *link, ULONG length)
{
    WCHAR name[256];
    UNICODE_STRING string;
    OBJECT_ATTRIBUTES attributes;
    HANDLE handle;
    while (length > 4 && link[length - 1] != '\\') length--;
    if (length <= 4 || length > 256) return;
    RtlCopyMemory(name, link, (length - 1) * sizeof *name);
    name[length - 1] = 0;
    RtlInitUnicodeString(&string, name);
    InitializeObjectAttributes(&attributes, &string, OBJ_CASE_INSENSITIVE | OBJ_OPENIF, 0, 0);
    /* It stays for as long as the handle, which is for as long as the driver. */
    ZwCreateDirectoryObject(&handle, DIRECTORY_ALL_ACCESS, &attributes);
}

static void add_device(DRIVER_OBJECT *driver, ULONG number, const WCHAR *text)
{
    WCHAR name[] = L"\\Device\\TunicBridge?";
    UNICODE_STRING device_name, link;
    DEVICE_OBJECT *device;
    unsigned short port = 0;
    while (*text >= '0' && *text <= '9') port = port * 10 + (*text++ - '0');
    while (*text == ' ') text++;
    name[sizeof name / sizeof *name - 2] = 'A' + number;
    RtlInitUnicodeString(&device_name, name);
    RtlInitUnicodeString(&link, text);
    if (!NT_SUCCESS(IoCreateDevice(driver, sizeof(struct extension), &device_name,
                                   FILE_DEVICE_NETWORK, 0, FALSE, &device)))
        return;
    ((struct extension *)device->DeviceExtension)->port = port;
    device->Flags |= DO_DIRECT_IO;
    device->Flags &= ~DO_DEVICE_INITIALIZING;
    add_directory(link.Buffer, link.Length / sizeof *text);
    IoCreateSymbolicLink(&link, &device_name);
}

NTSTATUS NTAPI DriverEntry(DRIVER_OBJECT *driver, UNICODE_STRING *path)
{
    char data[512];
    OBJECT_ATTRIBUTES attributes;
    HANDLE key;
    WSAStartup(0x202, data);
    for (int i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++) driver->MajorFunction[i] = dispatch;
    InitializeObjectAttributes(&attributes, path, OBJ_CASE_INSENSITIVE, 0, 0);
    if (!NT_SUCCESS(ZwOpenKey(&key, KEY_READ, &attributes))) return STATUS_OBJECT_NAME_NOT_FOUND;
    for (ULONG number = 0; number < 26; number++) {
        WCHAR name[] = L"DeviceA";
        UNICODE_STRING value;
        struct { KEY_VALUE_PARTIAL_INFORMATION head; WCHAR text[512]; } read;
        ULONG bytes;
        RtlZeroMemory(&read, sizeof read);
        name[6] = 'A' + number;
        RtlInitUnicodeString(&value, name);
        if (!NT_SUCCESS(ZwQueryValueKey(key, &value, KeyValuePartialInformation, &read,
                                        sizeof read - sizeof(WCHAR), &bytes)))
            break;
        add_device(driver, number, (WCHAR *)read.head.Data);
    }
    ZwClose(key);
    return STATUS_SUCCESS;
}
