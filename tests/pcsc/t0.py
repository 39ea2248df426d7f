"""With T=0 the program sees 61XX and 6CXX, and does what they say."""
import sys
from smartcard.scard import *

_, context = SCardEstablishContext(SCARD_SCOPE_SYSTEM)
result, card, protocol = SCardConnect(context, sys.argv[1], SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1)
assert (result, protocol) == (SCARD_S_SUCCESS, SCARD_PROTOCOL_T0), SCardGetErrorMessage(result)


def transmit(command):
    result, response = SCardTransmit(card, SCARD_PCI_T0, command)
    assert result == SCARD_S_SUCCESS, SCardGetErrorMessage(result)
    return response


# The Le of a case 4 command is not for the card.
for select in ([0, 0xA4, 4, 0, 2, 0xF0, 1], [0, 0xA4, 4, 0, 2, 0xF0, 1, 0]):
    assert transmit(select) == [0x61, 5]
    assert transmit([0, 0xC0, 0, 0, 5]) == [0x6F, 3, 0x84, 1, 0xF0, 0x90, 0]
assert transmit([0, 0xB0, 0, 0, 0]) == [0x6C, 4]
assert transmit([0, 0xB0, 0, 0, 4]) == [1, 2, 3, 4, 0x90, 0]
# What is no APDU comes to nothing, and the card goes on.
result, _ = SCardTransmit(card, SCARD_PCI_T0, [0, 0xB0, 0])
assert result != SCARD_S_SUCCESS
assert transmit([0, 0xB0, 0, 0, 4]) == [1, 2, 3, 4, 0x90, 0]
SCardDisconnect(card, SCARD_UNPOWER_CARD)
SCardReleaseContext(context)
print("ok")
