/* Wine ends its driver host with the last ordinary process: this one stays, until the end of its
 * standard input. It says when the bridge's devices are there. */
#include <windows.h>

int main(void)
{
    char byte;
    DWORD bytes;
    HANDLE output = GetStdHandle(STD_OUTPUT_HANDLE), input = GetStdHandle(STD_INPUT_HANDLE);
    while (CreateFileA("\\\\.\\tunic-bridge", GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL) ==
           INVALID_HANDLE_VALUE)
        Sleep(20);
    WriteFile(output, "ready\n", 6, &bytes, NULL);
    while (ReadFile(input, &byte, 1, &bytes, NULL) && bytes) {}
    return 0;
}
