"""The card is pulled out inside of a transaction. Says what it has come to, and is told what was done."""
import sys
import time
from smartcard.scard import *

READER = sys.argv[1]
READ = [0, 0xB0, 0x81, 0, 4]
DATA = list(b"vbus") + [0x90, 0]

_, context = SCardEstablishContext(SCARD_SCOPE_SYSTEM)
result, card, _ = SCardConnect(context, READER, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T1)
assert result == SCARD_S_SUCCESS, SCardGetErrorMessage(result)
assert SCardBeginTransaction(card) == SCARD_S_SUCCESS
assert SCardTransmit(card, SCARD_PCI_T1, READ) == [SCARD_S_SUCCESS, DATA]
print("in a transaction", flush=True)

assert sys.stdin.readline() == "removed\n"
result, _ = SCardTransmit(card, SCARD_PCI_T1, READ)
assert result in (SCARD_W_REMOVED_CARD, SCARD_E_NO_SMARTCARD), SCardGetErrorMessage(result)
# pcscd is told; from then on the handle is of no use.
for _ in range(100):
    result, _ = SCardTransmit(card, SCARD_PCI_T1, READ)
    if result == SCARD_W_REMOVED_CARD:
        break
    time.sleep(0.1)
assert result == SCARD_W_REMOVED_CARD, SCardGetErrorMessage(result)
result, _, _ = SCardConnect(context, READER, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T1)
assert result == SCARD_E_NO_SMARTCARD, SCardGetErrorMessage(result)
print("the card is gone", flush=True)

assert sys.stdin.readline() == "inserted\n"
# Whoever waits for a card is told of it.
states = [(READER, SCARD_STATE_EMPTY)]
result, states = SCardGetStatusChange(context, 10000, states)
assert result == SCARD_S_SUCCESS, SCardGetErrorMessage(result)
assert states[0][1] & SCARD_STATE_PRESENT, hex(states[0][1])
SCardDisconnect(card, SCARD_LEAVE_CARD)
result, card, _ = SCardConnect(context, READER, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T1)
assert result == SCARD_S_SUCCESS, SCardGetErrorMessage(result)
assert SCardTransmit(card, SCARD_PCI_T1, READ) == [SCARD_S_SUCCESS, DATA]
SCardDisconnect(card, SCARD_LEAVE_CARD)
print("ok")
