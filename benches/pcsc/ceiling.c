/* An IFD handler with nothing behind it: every command is answered at once with 9000. What pcscd can do at most. */
#include <ifdhandler.h>
#include <reader.h>
#include <string.h>

static const UCHAR atr[] = {0x3B, 0x95, 0x13, 0x81, 0x01, 0x80, 0x73, 0xFF, 0x01, 0x00, 0x0B};

RESPONSECODE IFDHCreateChannelByName(DWORD lun, LPSTR name) { return IFD_SUCCESS; }
RESPONSECODE IFDHCreateChannel(DWORD lun, DWORD channel) { return IFD_SUCCESS; }
RESPONSECODE IFDHCloseChannel(DWORD lun) { return IFD_SUCCESS; }
RESPONSECODE IFDHSetCapabilities(DWORD lun, DWORD tag, DWORD length, PUCHAR value) { return IFD_ERROR_TAG; }
RESPONSECODE IFDHICCPresence(DWORD lun) { return IFD_ICC_PRESENT; }

RESPONSECODE IFDHGetCapabilities(DWORD lun, DWORD tag, PDWORD length, PUCHAR value)
{
    if (tag == TAG_IFD_ATR || tag == SCARD_ATTR_ATR_STRING) {
        memcpy(value, atr, sizeof atr);
        *length = sizeof atr;
        return IFD_SUCCESS;
    }
    return IFD_ERROR_TAG;
}

RESPONSECODE IFDHSetProtocolParameters(DWORD lun, DWORD protocol, UCHAR flags, UCHAR a, UCHAR b, UCHAR c)
{
    return IFD_SUCCESS;
}

RESPONSECODE IFDHPowerICC(DWORD lun, DWORD action, PUCHAR out, PDWORD length)
{
    memcpy(out, atr, sizeof atr);
    *length = sizeof atr;
    return IFD_SUCCESS;
}

RESPONSECODE IFDHTransmitToICC(DWORD lun, SCARD_IO_HEADER send, PUCHAR command, DWORD command_length, PUCHAR response,
                               PDWORD response_length, PSCARD_IO_HEADER receive)
{
    response[0] = 0x90;
    response[1] = 0x00;
    *response_length = 2;
    receive->Protocol = send.Protocol;
    receive->Length = sizeof *receive;
    return IFD_SUCCESS;
}

RESPONSECODE IFDHControl(DWORD lun, DWORD code, PUCHAR in, DWORD in_length, PUCHAR out, DWORD out_length, LPDWORD returned)
{
    *returned = 0;
    return IFD_ERROR_NOT_SUPPORTED;
}
