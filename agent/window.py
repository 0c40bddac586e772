"""One segment in RAM, from which records are read one after the other.

Not here: which segment a number is in (journal.py).
"""

from agent.record import find_record


class Window:
    """A buffer of one segment and a mark, owned by the journal.

    data     the segment's bytes, or whatever the journal has put there after forget()
    of       the number of the segment that is held; 0: none
    damaged  damaged places that find() came across
    """

    def __init__(self, size):
        self.data = bytearray(size)
        self.of = 0
        self.damaged = 0
        self._length = 0
        self._seq = 0  # the number behind the last record found, and where it is
        self._at = 0

    def forget(self):
        """Hold nothing: data is free for other use."""
        self.of = 0

    def hold(self, ground, number):
        """Read a segment, unless it is held already. Raises OSError."""
        if self.of != number:
            self.of = 0
            self._length = ground.read_segment(number, self.data)
            self.of = number
            self._seq = 0

    def find(self, wanted, journal_id):
        """Return (seq, index, length) of the first good record from number wanted on; seq 0: none.

        The record behind the last one found is found at once.
        """
        start = self._at if wanted == self._seq else 0
        seq, at, size, damaged = find_record(self.data, self._length, wanted, journal_id, start)
        self.damaged += damaged
        if seq:
            self._seq = seq + 1
            self._at = at + size
        return seq, at, size
