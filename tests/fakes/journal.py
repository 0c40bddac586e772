"""A journal in memory with the interface of agent/journal.Journal that an uplink uses."""


class MemoryJournal:
    """Records of a few bytes, numbered from 1."""

    def __init__(self, journal_id=1):
        self.journal_id = journal_id
        self.first = self.next = 1
        self.acked = 0
        self._records = {}

    @property
    def durable(self):
        """The last durable seq."""
        return self.next - 1

    def fill(self, count, size=20):
        """Append count records of size payload bytes."""
        for _ in range(count):
            head = b"\x01\x01" + size.to_bytes(2, "big") + self.next.to_bytes(4, "big")
            self._records[self.next] = head + bytes(8 + size)
            self.next += 1

    def read_from(self, seq, out):
        """Copy the first record from seq on into out; return (seq, length)."""
        seq = max(seq, self.first)
        if seq >= self.next:
            return seq, 0
        record = self._records[seq]
        out[: len(record)] = record
        return seq, len(record)

    def trim_through(self, journal_id, seq):
        """Forget everything through seq."""
        if journal_id != self.journal_id or seq >= self.next or seq <= self.acked:
            return
        while self.first <= seq:
            del self._records[self.first]
            self.first += 1
        self.acked = seq
