"""Short and extended APDUs, through T=1 blocks in both directions."""
import sys
from smartcard.scard import *

_, context = SCardEstablishContext(SCARD_SCOPE_SYSTEM)
result, card, protocol = SCardConnect(context, sys.argv[1], SCARD_SHARE_SHARED, SCARD_PROTOCOL_T1)
assert result == SCARD_S_SUCCESS, SCardGetErrorMessage(result)


def transmit(command):
    result, response = SCardTransmit(card, SCARD_PCI_T1, command)
    assert result == SCARD_S_SUCCESS, SCardGetErrorMessage(result)
    return response


assert transmit([0, 0xB0, 0, 0, 4]) == [1, 2, 3, 4, 0x90, 0]
assert transmit([0, 0xB0, 0, 0, 0, 0x03, 0xE8]) == [i * 7 & 0xFF for i in range(1000)] + [0x90, 0]
assert transmit([0, 0xD6, 0, 0, 0, 0x01, 0x2C] + [0xA5] * 300) == [0x90, 0]
assert transmit([0, 0xD6, 0, 0, 0, 0x01, 0x2D] + [0xA5] * 301) == [0x6D, 0]
SCardDisconnect(card, SCARD_UNPOWER_CARD)
SCardReleaseContext(context)
print("ok")
