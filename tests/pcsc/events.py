"""Waits for a card to come and to go, again and again. Says when it waits and what it sees."""
import sys
from smartcard.scard import *

READER = sys.argv[1]
_, context = SCardEstablishContext(SCARD_SCOPE_SYSTEM)
_, states = SCardGetStatusChange(context, 0, [(READER, SCARD_STATE_UNAWARE)])
seen = states[0][1] & ~SCARD_STATE_CHANGED
for line in sys.stdin:
    print("waiting", flush=True)
    while True:
        result, states = SCardGetStatusChange(context, 30000, [(READER, seen)])
        assert result == SCARD_S_SUCCESS, SCardGetErrorMessage(result)
        before, seen = seen, states[0][1] & ~SCARD_STATE_CHANGED
        if (before ^ seen) & SCARD_STATE_PRESENT:
            break
    print("present" if seen & SCARD_STATE_PRESENT else "empty", flush=True)
