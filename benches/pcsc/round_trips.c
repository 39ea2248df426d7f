/* round_trips READER COUNT: how many short commands a second a reader's card answers, in one session. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <winscard.h>

static void check(const char *what, LONG result)
{
    if (result != SCARD_S_SUCCESS) {
        fprintf(stderr, "%s: %s\n", what, pcsc_stringify_error(result));
        exit(1);
    }
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    SCARDCONTEXT context;
    SCARDHANDLE card;
    DWORD protocol;
    check("SCardEstablishContext", SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context));
    check(argv[1], SCardConnect(context, argv[1], SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, &card, &protocol));
    const SCARD_IO_REQUEST *pci = protocol == SCARD_PROTOCOL_T0 ? SCARD_PCI_T0 : SCARD_PCI_T1;
    /* SELECT the MF: two bytes of answer, as the ceiling's. */
    const BYTE command[] = {0x00, 0xA4, 0x00, 0x0C, 0x02, 0x3F, 0x00};
    const int count = atoi(argv[2]);
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < count; i++) {
        BYTE response[258];
        DWORD length = sizeof response;
        check("SCardTransmit", SCardTransmit(card, pci, command, sizeof command, NULL, response, &length));
        if (length != 2 || response[0] != 0x90) {
            fprintf(stderr, "an answer of %lu bytes\n", length);
            return 1;
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    SCardDisconnect(card, SCARD_LEAVE_CARD);
    SCardReleaseContext(context);
    double seconds = (end.tv_sec - begin.tv_sec) + (end.tv_nsec - begin.tv_nsec) * 1e-9;
    printf("%.0f\n", count / seconds);
    return 0;
}
