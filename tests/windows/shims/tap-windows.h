/* The names of tap-windows6's header that OpenVPN's sources use; Debian has no package of it. No
 * tested program opens such an adapter. */
#pragma once
#include <windows.h>
#include <winioctl.h>

#define TAP_WIN_CODE(number) \
    CTL_CODE(FILE_DEVICE_UNKNOWN, number, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define TAP_WIN_IOCTL_GET_MAC TAP_WIN_CODE(1)
#define TAP_WIN_IOCTL_GET_VERSION TAP_WIN_CODE(2)
#define TAP_WIN_IOCTL_GET_MTU TAP_WIN_CODE(3)
#define TAP_WIN_IOCTL_GET_INFO TAP_WIN_CODE(4)
#define TAP_WIN_IOCTL_CONFIG_POINT_TO_POINT TAP_WIN_CODE(5)
#define TAP_WIN_IOCTL_SET_MEDIA_STATUS TAP_WIN_CODE(6)
#define TAP_WIN_IOCTL_CONFIG_DHCP_MASQ TAP_WIN_CODE(7)
#define TAP_WIN_IOCTL_GET_LOG_LINE TAP_WIN_CODE(8)
#define TAP_WIN_IOCTL_CONFIG_DHCP_SET_OPT TAP_WIN_CODE(9)
#define TAP_WIN_IOCTL_CONFIG_TUN TAP_WIN_CODE(10)

#define NETWORK_CLASS "{4D36E972-E325-11CE-BFC1-08002BE10318}"
#define ADAPTER_KEY "SYSTEM\\CurrentControlSet\\Control\\Class\\" NETWORK_CLASS
#define NETWORK_CONNECTIONS_KEY "SYSTEM\\CurrentControlSet\\Control\\Network\\" NETWORK_CLASS
#define USERMODEDEVICEDIR "\\\\.\\Global\\"
#define TAP_WIN_SUFFIX ".tap"
