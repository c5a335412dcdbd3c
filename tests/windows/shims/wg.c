/* What wg.exe needs of Windows and Wine 8 lacks. The linker prefers these to the imports. */
#define FindFirstFileA declared_FindFirstFileA
#define FindNextFileA declared_FindNextFileA
#define FindClose declared_FindClose
#include <windows.h>
#include <cfgmgr32.h>
#include <setupapi.h>
#include <string.h>
#include <wchar.h>

/* Wine can't list \\.\pipe\*, where wg looks for interfaces in userspace: there are none. */
static HANDLE WINAPI find_first(LPCSTR name, WIN32_FIND_DATAA *data)
{
    memset(data, 0, sizeof *data);
    data->cFileName[0] = '-';
    return (HANDLE)4;
}

static BOOL WINAPI find_next(HANDLE handle, WIN32_FIND_DATAA *data)
{
    SetLastError(ERROR_NO_MORE_FILES);
    return FALSE;
}

static BOOL WINAPI find_close(HANDLE handle)
{
    return TRUE;
}

void *__imp_FindFirstFileA = find_first, *__imp_FindNextFileA = find_next;
void *__imp_FindClose = find_close;

/* These are stubs there: the first by SetupDi, from the same registry. */
static CONFIGRET WINAPI interfaces(LPGUID class, DEVINSTID_W id, PZZWSTR out, ULONG room,
                                   ULONG flags)
{
    HDEVINFO set = SetupDiGetClassDevsW(class, id, NULL, DIGCF_DEVICEINTERFACE | DIGCF_PRESENT);
    SP_DEVICE_INTERFACE_DATA data = { .cbSize = sizeof data };
    char detail[2048];
    SP_DEVICE_INTERFACE_DETAIL_DATA_W *path = (void *)detail;
    path->cbSize = sizeof *path;
    out[0] = out[1] = 0;
    if (SetupDiEnumDeviceInterfaces(set, NULL, class, 0, &data) &&
        SetupDiGetDeviceInterfaceDetailW(set, &data, path, sizeof detail, NULL, NULL)) {
        wcscpy(out, path->DevicePath);
        out[wcslen(out) + 1] = 0;
    }
    SetupDiDestroyDeviceInfoList(set);
    return CR_SUCCESS;
}

static CONFIGRET WINAPI room_for_interfaces(PULONG room, LPGUID class, DEVINSTID_W id, ULONG flags)
{
    *room = 1024;
    return CR_SUCCESS;
}

static CONFIGRET WINAPI status(PULONG status, PULONG problem, DEVINST device, ULONG flags)
{
    *status = DN_DRIVER_LOADED | DN_STARTED;
    *problem = 0;
    return CR_SUCCESS;
}

void *__imp_CM_Get_Device_Interface_ListW = interfaces;
void *__imp_CM_Get_Device_Interface_List_SizeW = room_for_interfaces;
void *__imp_CM_Get_DevNode_Status = status;
