"""SNTP packets, and whether their answers may be believed (RFC 4330; RFC 5905, 7.3).

Not here: the socket and the clock (agent/clock.py). SNTP is unauthenticated: answers that do not
fit the question are dropped, and where several servers are configured two must agree.

    nonce = make_request(out, random_bytes)         # 48 bytes into out; nonce: 8 random bytes
    wall_ms = read_answer(data, length, nonce)      # ms since 1970 at the server's transmission
"""

from micropython import const

PACKET_BYTES = const(48)
AGREE_MS = const(1000)
_TO_1970_S = 2208988800  # from 1900
_ERA_S = 1 << 32  # seconds wrap on 2036-02-07 06:28:16 UTC
_HALF_ERA_S = 1 << 31


class NotBelieved(Exception):
    """The answer is damaged, foreign, or of a server that has no time: ask another."""


def make_request(out, nonce):
    """Write a client request whose transmit time is a random nonce of 8 bytes (RFC 9109)."""
    for i in range(PACKET_BYTES):
        out[i] = 0
    out[0] = 0x23  # leap 0, version 4, client
    out[40:48] = nonce
    return nonce


def read_answer(data, length, nonce):
    """Return ms since 1970. Raises NotBelieved with the reason."""
    if length < PACKET_BYTES:
        raise NotBelieved("answer of %d bytes" % length)
    if data[0] & 0x07 != 4:
        raise NotBelieved("mode %d, server is 4" % (data[0] & 0x07))
    if data[0] >> 6 == 3:
        raise NotBelieved("server is not synchronised")
    if not 1 <= data[1] <= 15:
        raise NotBelieved("stratum %d" % data[1])
    if bytes(data[24:32]) != bytes(nonce):
        raise NotBelieved("answer to another question")
    seconds = int.from_bytes(bytes(data[40:44]), "big")
    fraction = int.from_bytes(bytes(data[44:48]), "big")
    if seconds == 0:
        raise NotBelieved("no transmit time")
    if seconds < _HALF_ERA_S:  # era 1: 2036 to 2104; before 1968 nothing was measured
        seconds += _ERA_S
    return (seconds - _TO_1970_S) * 1000 + (fraction * 1000 >> 32)


def agree(answers, servers):
    """Return the time to believe, or None; answers: times in ms moved to one same instant.

    One configured server: its answer. More: the middle of the first two within 1 s.
    """
    if servers == 1:
        return answers[0] if answers else None
    for i in range(len(answers)):
        for j in range(i + 1, len(answers)):
            if abs(answers[i] - answers[j]) <= AGREE_MS:
                return (answers[i] + answers[j]) // 2
    return None
