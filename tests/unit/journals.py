"""What tests do with a journal: start it, put records in, read them as the uplink does."""

import json

from agent.journal import Journal
from agent.record import EVENT, LOST, check_record

_OUT = bytearray(4096)


def start_on(ground, segments=16):
    """Start a journal on what a ground holds; return it and its Recovery."""
    journal = Journal(ground, lambda: 0x1234ABCD, segments * 4096)
    return journal, journal.start()


def put(journal, text, kind=EVENT):
    """Append a record of that text or those bytes; return its number."""
    data = text.encode() if isinstance(text, str) else text
    return journal.append(kind, data, 0, len(data))


def fill(journal, segments, size):
    """Append durable records of that size until there are so many segments."""
    while len(journal.segments) < segments:
        put(journal, b"x" * size)
        journal.sync()


def get(journal, seq):
    """Return (kind, number, payload) of what is read from a number on, None: nothing."""
    found, length = journal.read_from(seq, _OUT)
    if not length:
        return None
    kind, number, _, start, end = check_record(_OUT, 0, length)
    assert number == found
    return kind, found, bytes(_OUT[start:end])


def read_all(journal):
    """Read as the uplink does: (number, payload), a LOST as (first, last, why)."""
    seq = journal.first
    result = []
    while True:
        got = get(journal, seq)
        if got is None:
            return result
        kind, found, payload = got
        assert found >= seq
        if kind == LOST:
            lost = json.loads(payload.decode())
            assert lost["first"] == seq and lost["last"] == found
            result.append((lost["first"], lost["last"], lost["why"]))
        else:
            assert found == seq
            result.append((found, payload))
        seq = found + 1


def block_of(meter):
    """Return the payload of a sealed block of that meter, as far as the journal looks at it."""
    return bytes([1, 9, 9, 9, 9, meter, 0, 0])
