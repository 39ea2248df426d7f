"""The card is pulled out and put back faster than anybody could look. A handle to the one that went is of no use."""
import sys
import time
from smartcard.scard import *

READER = sys.argv[1]
READ = [0, 0xB0, 0x81, 0, 4]
DATA = list(b"vbus") + [0x90, 0]


def events(context):
    """How many events the reader had."""
    _, states = SCardGetStatusChange(context, 0, [(READER, SCARD_STATE_UNAWARE)])
    return states[0][1] >> 16


_, context = SCardEstablishContext(SCARD_SCOPE_SYSTEM)
result, card, _ = SCardConnect(context, READER, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T1)
assert result == SCARD_S_SUCCESS, SCardGetErrorMessage(result)
assert SCardTransmit(card, SCARD_PCI_T1, READ) == [SCARD_S_SUCCESS, DATA]
for _ in range(int(sys.argv[2])):
    before = events(context)
    print("connected", flush=True)
    assert sys.stdin.readline() == "exchanged\n"
    for _ in range(300):
        if events(context) == before + 2:
            break
        time.sleep(0.1)
    # It went, and one came.
    assert events(context) == before + 2, events(context) - before
    result, _ = SCardTransmit(card, SCARD_PCI_T1, READ)
    assert result == SCARD_W_REMOVED_CARD, SCardGetErrorMessage(result)
    SCardDisconnect(card, SCARD_LEAVE_CARD)
    result, card, _ = SCardConnect(context, READER, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T1)
    assert result == SCARD_S_SUCCESS, SCardGetErrorMessage(result)
    assert SCardTransmit(card, SCARD_PCI_T1, READ) == [SCARD_S_SUCCESS, DATA]
print("ok")
