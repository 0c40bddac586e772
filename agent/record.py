"""One record: the same bytes in flash, on the wire and in the collector's hands.

Not here: where records are kept (journal.py, store.py), what a payload means (codec.py for
BLOCK; the rest is JSON). The bytes are drawn in agent/README.md, "The record".

    length = pack_record(out, EVENT, 7, journal_id, b'{"what":"door"}', 0, 15)
    kind, seq, journal_id, start, end = check_record(out, 0, length)
"""

from binascii import crc32
from json import dumps
from struct import pack_into, unpack_from

from micropython import const

# Kinds are part of the flash and wire formats: never renumber.
BLOCK = const(1)
BOOT = const(2)
LOST = const(3)
EVENT = const(4)
TIME = const(5)
HEALTH = const(6)
SCHEMA = const(7)
KIND_NAMES = ("", "block", "boot", "lost", "event", "time", "health", "schema")

# Kinds of the journal's own records, never sent (agent/JOURNAL.md): kinds from 128 on.
MARK = const(128)
OPEN = const(129)
WEAR = const(130)

FORMAT = const(1)
PAYLOAD_MAX = const(4000)
OVERHEAD = const(16)  # 12 bytes of header, 4 of CRC
HEADER = const(12)


class BadRecord(Exception):
    """The bytes are no whole, undamaged record: drop them, count it, ask for them again."""


def pack_record(out, kind, seq, journal_id, data, start, end, at=0):
    """Write one record around data[start:end] into the bytearray out at index `at`.

    kind 1 .. 255, seq and journal_id 0 .. 2**32 - 1. Returns the record's length in bytes
    (end - start + OVERHEAD). The payload may lie in `out` already, where it belongs: from index
    at + HEADER on. Raises ValueError when it is longer than PAYLOAD_MAX.
    """
    size = end - start
    if not 0 <= size <= PAYLOAD_MAX:
        raise ValueError("payload of %d bytes, 0 .. %d fit" % (size, PAYLOAD_MAX))
    pack_into(">BBHII", out, at, FORMAT, kind, size, seq, journal_id)
    body = at + HEADER
    view = memoryview(out)
    view[body : body + size] = memoryview(data)[start:end]
    pack_into(">I", out, body + size, crc32(view[at : body + size]) & 0xFFFFFFFF)
    return size + OVERHEAD


def pack_lost(out, journal_id, first, last, why):
    """Write into out the LOST record that stands for first .. last; return its length.

    It bears the number `last`, so that a reader goes on behind it.
    """
    text = dumps({"first": first, "last": last, "why": why, "from_ms": 0, "to_ms": 0})
    payload = text.encode()
    return pack_record(out, LOST, last, journal_id, payload, 0, len(payload))


def record_length(data, start, end):
    """Return the length in bytes that the header at data[start] claims.

    Raises BadRecord when it cannot lie within data[start:end]. The CRC is not looked at.
    """
    room = end - start
    if room < OVERHEAD:
        raise BadRecord("%d bytes, a record has %d or more" % (room, OVERHEAD))
    if data[start] != FORMAT:
        raise BadRecord("record format %d, %d is known" % (data[start], FORMAT))
    size = data[start + 2] << 8 | data[start + 3]
    if size > PAYLOAD_MAX or size + OVERHEAD > room:
        raise BadRecord("payload of %d bytes in %d" % (size, room))
    return size + OVERHEAD


def check_record(data, start, end):
    """Check the record that fills data[start:end] exactly, CRC included.

    Returns (kind, seq, journal_id, payload_start, payload_end), indices into data.
    Raises BadRecord for anything else; every other content is refused, none is repaired.
    """
    length = record_length(data, start, end)
    if start + length != end:
        raise BadRecord("%d bytes after a record of %d" % (end - start - length, length))
    _, kind, _, seq, journal_id = unpack_from(">BBHII", data, start)
    found = unpack_from(">I", data, end - 4)[0]
    computed = crc32(memoryview(data)[start : end - 4]) & 0xFFFFFFFF
    if found != computed:
        raise BadRecord("crc 0x%08x, computed 0x%08x, seq %d" % (found, computed, seq))
    return kind, seq, journal_id, start + HEADER, end - 4


def find_record(data, length, wanted, journal_id, at=0):
    """Find the first good record numbered >= wanted in data[0:length], records back to back.

    Returns (seq, at, size, damaged): its number, index and length, and how many damaged places
    were passed over; seq 0: there is none. The journal's own kinds are passed over too. The search
    begins at index `at`, where a record does.
    """
    damaged = 0
    while at < length:
        try:
            size = record_length(data, at, length)
            kind, seq, found, _, _ = check_record(data, at, at + size)
            if seq >= wanted and found == journal_id and kind < MARK:
                return seq, at, size, damaged
            at += size
        except BadRecord:
            damaged += 1
            at = next_record(data, at + 1, length, journal_id)
    return 0, 0, 0, damaged


def next_record(data, at, end, journal_id):
    """Return the index of the first good record of a journal in data[at:end], `end`: none.

    journal_id 0: of any journal.
    For what follows a damaged place, where not even the length can be believed.
    """
    while at + OVERHEAD <= end:
        if data[at] == FORMAT and journal_id in (0, unpack_from(">I", data, at + 8)[0]):
            try:
                check_record(data, at, at + record_length(data, at, end))
                return at
            except BadRecord:
                pass
        at += 1
    return end
