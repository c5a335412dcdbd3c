/* What openvpn.exe needs of Windows and Wine 8 lacks. The linker prefers these to the imports. */
#define NETIO_STATUS DWORD
#include <winsock2.h>
/* Before those that use its types. */
#include <ws2ipdef.h>
#include <windows.h>
#include <bcrypt.h>
#include <cfgmgr32.h>
#include <iphlpapi.h>
#include <netioapi.h>
#include <setupapi.h>
#include <string.h>

/* CM_Get_Device_Interface_List* are stubs there: by SetupDi, from the same registry. */
static CONFIGRET WINAPI interfaces(LPGUID class, DEVINSTID_A id, PZZSTR out, ULONG room, ULONG flags)
{
    HDEVINFO set = SetupDiGetClassDevsA(class, id, NULL, DIGCF_DEVICEINTERFACE | DIGCF_PRESENT);
    SP_DEVICE_INTERFACE_DATA data = { .cbSize = sizeof data };
    char detail[2048], *at = out;
    SP_DEVICE_INTERFACE_DETAIL_DATA_A *path = (void *)detail;
    path->cbSize = sizeof *path;
    for (DWORD i = 0; SetupDiEnumDeviceInterfaces(set, NULL, class, i, &data); i++)
        if (SetupDiGetDeviceInterfaceDetailA(set, &data, path, sizeof detail, NULL, NULL)) {
            strcpy(at, path->DevicePath);
            at += strlen(at) + 1;
        }
    if (at == out) *at++ = 0;
    *at = 0;
    SetupDiDestroyDeviceInfoList(set);
    return CR_SUCCESS;
}

static CONFIGRET WINAPI room_for_interfaces(PULONG room, LPGUID class, DEVINSTID_A id, ULONG flags)
{
    *room = 4096;
    return CR_SUCCESS;
}

void *__imp_CM_Get_Device_Interface_ListA = interfaces;
void *__imp_CM_Get_Device_Interface_List_SizeA = room_for_interfaces;

/* Not in its iphlpapi. Whether the interface is there: by GetIfEntry2. */
DWORD WINAPI GetIpInterfaceEntry(PMIB_IPINTERFACE_ROW row)
{
    MIB_IF_ROW2 found;
    memset(&found, 0, sizeof found);
    found.InterfaceIndex = row->InterfaceIndex;
    found.InterfaceLuid = row->InterfaceLuid;
    return GetIfEntry2(&found);
}

DWORD WINAPI SetIpInterfaceEntry(PMIB_IPINTERFACE_ROW row)
{
    return NO_ERROR;
}

void WINAPI InitializeIpInterfaceEntry(PMIB_IPINTERFACE_ROW row)
{
    memset(row, 0, sizeof *row);
}

void *__imp_GetIpInterfaceEntry = GetIpInterfaceEntry;
void *__imp_SetIpInterfaceEntry = SetIpInterfaceEntry;
void *__imp_InitializeIpInterfaceEntry = InitializeIpInterfaceEntry;

/* Its bcrypt lacks ChaCha20-Poly1305, for which OpenVPN asks before it offers it with a driver. The
 * driver has it. */
NTSTATUS WINAPI BCryptOpenAlgorithmProvider(BCRYPT_ALG_HANDLE *handle, LPCWSTR name,
                                            LPCWSTR provider, ULONG flags)
{
    NTSTATUS (WINAPI *open)(BCRYPT_ALG_HANDLE *, LPCWSTR, LPCWSTR, ULONG) =
        (void *)GetProcAddress(LoadLibraryA("bcrypt.dll"), "BCryptOpenAlgorithmProvider");
    return open(handle, wcscmp(name, L"CHACHA20_POLY1305") ? name : L"AES", provider, flags);
}

void *__imp_BCryptOpenAlgorithmProvider = BCryptOpenAlgorithmProvider;
