"""So many round trips in one session."""
import sys
from smartcard.scard import *

_, context = SCardEstablishContext(SCARD_SCOPE_SYSTEM)
result, card, _ = SCardConnect(context, sys.argv[1], SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1)
assert result == SCARD_S_SUCCESS, SCardGetErrorMessage(result)
for number in range(int(sys.argv[2])):
    result, response = SCardTransmit(card, SCARD_PCI_T1, [0, 0xB0, 0x81, 0, 4])
    assert response[-2:] == [0x90, 0], (number, SCardGetErrorMessage(result), response)
SCardDisconnect(card, SCARD_LEAVE_CARD)
print("ok")
