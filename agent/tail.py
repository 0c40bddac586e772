"""The newest records, in RAM, until they fill a segment: whole records, back to back.

Not here: when they are written and where (journal.py, store.py).

    0        base       solid       cut        fill
    |---------|----------|-----------|----------|  ...  room for a longest record
    durable in the slot  durable     closed: the next segment, waiting to be written
    "base"               somewhere   (cut is 0 while the records fit in one segment)
"""

from struct import unpack_from

from micropython import const

from agent.record import OVERHEAD, PAYLOAD_MAX, pack_record, record_length

_CARRIED_MAX = const(2048)  # bytes of records that each save of the open blocks may carry along


class Tail:
    """A buffer of one segment and the longest record more, owned by the journal.

    fill, cut, solid, base: the indices of the drawing above, in bytes
    """

    def __init__(self, segment_size):
        self.segment_size = segment_size
        self.data = bytearray(segment_size + PAYLOAD_MAX + OVERHEAD)
        self.fill = 0
        self.cut = 0
        self.solid = 0
        self.base = 0

    @property
    def is_heavy(self):
        """Whether "base" has to be written anew, or each save would carry all records along."""
        return self.cut > 0 or self.fill - self.base > _CARRIED_MAX

    @property
    def first(self):
        """The number of the first record; 0 when there is none."""
        return unpack_from(">I", self.data, 4)[0] if self.fill else 0

    def fits(self, length):
        """Say whether a record of that length can be added."""
        return self.fill + length <= len(self.data)

    def add(self, kind, seq, journal_id, data, start, end):
        """Add a record around data[start:end]; the caller knows that it fits."""
        at = self.fill
        self.fill += pack_record(self.data, kind, seq, journal_id, data, start, end, at)
        if not self.cut and self.fill > self.segment_size:
            self.cut = at

    def take(self, data, start, end):
        """Add a finished record as it is."""
        at = self.fill
        self.data[at : at + end - start] = memoryview(data)[start:end]
        self.fill += end - start
        if not self.cut and self.fill > self.segment_size:
            self.cut = at

    def last_in(self, end):
        """Return the number of the last record in data[0:end], 0 when there is none."""
        at = 0
        seq = 0
        while at < end:
            seq = unpack_from(">I", self.data, at + 4)[0]
            at += record_length(self.data, at, end)
        return seq

    def end_of(self, seq, limit):
        """Return the index behind all records in data[0:limit] numbered seq or less."""
        at = 0
        while at < limit and unpack_from(">I", self.data, at + 4)[0] <= seq:
            at += record_length(self.data, at, self.fill)
        return at

    def drop(self, count):
        """Forget the first bytes, whole records; every index moves with what is left."""
        if not count:
            return
        left = self.fill - count
        view = memoryview(self.data)
        view[0:left] = view[count : self.fill]
        self.fill = left
        self.cut = max(0, self.cut - count)
        self.solid = max(0, self.solid - count)
        self.base = max(0, self.base - count)
        if not self.cut and left > self.segment_size:
            at = 0
            while at <= self.segment_size:
                self.cut = at
                at += record_length(self.data, at, left)
