"""Two clients share a card, exclude each other, wait for each other's transaction, and see each other's reset."""
import sys
import threading
import time
from smartcard.scard import *

READER = sys.argv[1]
BOTH = SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1
READ = [0, 0xB0, 0x81, 0, 4]
DATA = list(b"vbus") + [0x90, 0]


def connect(context, mode):
    result, card, _ = SCardConnect(context, READER, mode, BOTH)
    return result, card


_, one = SCardEstablishContext(SCARD_SCOPE_SYSTEM)
_, other = SCardEstablishContext(SCARD_SCOPE_SYSTEM)

result, first = connect(one, SCARD_SHARE_SHARED)
assert result == SCARD_S_SUCCESS
result, second = connect(other, SCARD_SHARE_SHARED)
assert result == SCARD_S_SUCCESS
assert SCardTransmit(first, SCARD_PCI_T1, READ) == [SCARD_S_SUCCESS, DATA]
assert SCardTransmit(second, SCARD_PCI_T1, READ) == [SCARD_S_SUCCESS, DATA]
result, _ = connect(other, SCARD_SHARE_EXCLUSIVE)
assert result == SCARD_E_SHARING_VIOLATION, SCardGetErrorMessage(result)

# While one has a transaction, the other waits.
assert SCardBeginTransaction(first) == SCARD_S_SUCCESS
answered = []
waiting = threading.Thread(target=lambda: answered.append(SCardTransmit(second, SCARD_PCI_T1, READ)))
waiting.start()
time.sleep(0.3)
assert SCardTransmit(first, SCARD_PCI_T1, READ) == [SCARD_S_SUCCESS, DATA]
early = list(answered)
assert SCardEndTransaction(first, SCARD_LEAVE_CARD) == SCARD_S_SUCCESS
waiting.join(10)
assert early == [] or early[0][0] == SCARD_E_SHARING_VIOLATION, early
assert SCardTransmit(second, SCARD_PCI_T1, READ) == [SCARD_S_SUCCESS, DATA]

# A reset by one is told to the other.
assert SCardReconnect(first, SCARD_SHARE_SHARED, BOTH, SCARD_RESET_CARD)[0] == SCARD_S_SUCCESS
result, _ = SCardTransmit(second, SCARD_PCI_T1, READ)
assert result == SCARD_W_RESET_CARD, SCardGetErrorMessage(result)
assert SCardReconnect(second, SCARD_SHARE_SHARED, BOTH, SCARD_LEAVE_CARD)[0] == SCARD_S_SUCCESS
assert SCardTransmit(second, SCARD_PCI_T1, READ) == [SCARD_S_SUCCESS, DATA]

# Exclusive means that nobody else gets in.
assert SCardDisconnect(first, SCARD_LEAVE_CARD) == SCARD_S_SUCCESS
assert SCardDisconnect(second, SCARD_LEAVE_CARD) == SCARD_S_SUCCESS
result, first = connect(one, SCARD_SHARE_EXCLUSIVE)
assert result == SCARD_S_SUCCESS
result, _ = connect(other, SCARD_SHARE_SHARED)
assert result == SCARD_E_SHARING_VIOLATION, SCardGetErrorMessage(result)
assert SCardTransmit(first, SCARD_PCI_T1, READ) == [SCARD_S_SUCCESS, DATA]
assert SCardDisconnect(first, SCARD_LEAVE_CARD) == SCARD_S_SUCCESS
SCardReleaseContext(one)
SCardReleaseContext(other)
print("ok")
