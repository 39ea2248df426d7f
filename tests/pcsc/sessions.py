"""So many sessions: connect, transmit, disconnect, each way in turn."""
import sys
from smartcard.scard import *

for number in range(int(sys.argv[2])):
    _, context = SCardEstablishContext(SCARD_SCOPE_SYSTEM)
    result, card, _ = SCardConnect(context, sys.argv[1], SCARD_SHARE_SHARED, SCARD_PROTOCOL_T1)
    assert result == SCARD_S_SUCCESS, (number, SCardGetErrorMessage(result))
    result, response = SCardTransmit(card, SCARD_PCI_T1, [0, 0xB0, 0x81, 0, 4])
    assert response == list(b"vbus") + [0x90, 0], (number, SCardGetErrorMessage(result), response)
    disposition = (SCARD_LEAVE_CARD, SCARD_RESET_CARD, SCARD_UNPOWER_CARD)[number % 3]
    assert SCardDisconnect(card, disposition) == SCARD_S_SUCCESS, number
    assert SCardReleaseContext(context) == SCARD_S_SUCCESS, number
print("ok")
