"""Attributes come from the reader's driver, and features of PC/SC part 10 it has none."""
import sys
from smartcard.scard import *

_, context = SCardEstablishContext(SCARD_SCOPE_SYSTEM)
result, card, protocol = SCardConnect(context, sys.argv[1], SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1)
assert (result, protocol) == (SCARD_S_SUCCESS, SCARD_PROTOCOL_T1), SCardGetErrorMessage(result)


def attribute(tag):
    result, value = SCardGetAttrib(card, tag)
    return bytes(value) if result == SCARD_S_SUCCESS else result


assert attribute(SCARD_ATTR_VENDOR_NAME) == b"vbus", attribute(SCARD_ATTR_VENDOR_NAME)
assert attribute(SCARD_ATTR_VENDOR_IFD_TYPE) == b"virtual reader"
assert attribute(SCARD_ATTR_VENDOR_IFD_SERIAL_NO) == b"00000007"
assert attribute(SCARD_ATTR_ATR_STRING).hex() == "3b9f13800180 73f441 73597662757320636172 6447".replace(" ", "")
assert attribute(SCARD_ATTR_ICC_PRESENCE) == b"\x02"
assert attribute(SCARD_ATTR_CURRENT_PROTOCOL_TYPE) == b"\x02\0\0\0"
# pcscd answers this one itself, if the handler knows nothing of it and leaves the buffer's length alone.
assert attribute(SCARD_ATTR_DEVICE_FRIENDLY_NAME).rstrip(b"\0") == sys.argv[1].encode()
assert attribute(0x00077777) == SCARD_E_UNSUPPORTED_FEATURE

GET_FEATURE_REQUEST = 0x42000000 + 3400
result, features = SCardControl(card, GET_FEATURE_REQUEST, [])
assert (result, features) == (SCARD_S_SUCCESS, []), (SCardGetErrorMessage(result), features)
result, _ = SCardControl(card, 0x42000000 + 1, [1, 2, 3])
assert result != SCARD_S_SUCCESS
SCardDisconnect(card, SCARD_LEAVE_CARD)
SCardReleaseContext(context)
print("ok")
