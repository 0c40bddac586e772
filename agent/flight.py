"""The records on their way: the window of PUBACKs, and how far to run ahead of the collector.

Not here: packets and the session (agent/mqtt.py, agent/uplink.py) or storage (agent/journal.py).

    acked          cursor
      v              v
    --#==============-------------->  seq      # stored by the collector, the journal may forget
      |  on the way  |  in flash               = sent, at most `ahead` of them, at most `window`
                                                 of those without a PUBACK

A reconnection goes back to acked + 1. So does a stall: no acknowledgement for 30 s, then 60 s,
120 s ... one hour, because a broker may have lost what it acknowledged.
"""

from micropython import const

from drivers.ticks import ticks_diff

_STALL_MS = const(30000)
_STALL_MAX_MS = const(3600000)


class Flight:
    """Reads the journal in order; by_puback: a PUBACK counts as stored (weaker, chosen)."""

    def __init__(self, journal, window, ahead, by_puback=False):
        self._journal = journal
        self._window = window
        self._ahead = ahead
        self._by_puback = by_puback
        self._ids = [0] * window  # packet identifiers without a PUBACK, 0: a free slot
        self._seqs = [0] * window
        self._highest = 0  # the last seq sent since this start
        self._stall_ms = _STALL_MS
        self.published = 0
        self.repeated = 0
        self.waiting = 0  # records without a PUBACK
        self.unacked = 0  # records sent and not known to be stored
        self.cursor = 1  # the next seq to send
        self._moved_at = 0
        self.reset(0)

    def reset(self, now_ms):
        """Forget what was under way: a new session begins after the last acknowledged record."""
        for i in range(self._window):
            self._ids[i] = 0
        self.waiting = 0
        self._rewind(now_ms)

    def has(self, packet_id):
        """Tell whether a record in flight has this packet identifier."""
        return packet_id in self._ids

    def read(self, room, packet_id, now_ms):
        """Copy the next record into room; return its length, 0 when none may go now."""
        if self.waiting == self._window or self.unacked >= self._ahead:
            return 0
        if self.cursor <= self._journal.acked:
            self.cursor = self._journal.acked + 1
        seq, length = self._journal.read_from(self.cursor, room)
        if not length:
            return 0
        slot = self._ids.index(0)
        self._ids[slot] = packet_id
        self._seqs[slot] = seq
        self.waiting += 1
        if not self.unacked:
            self._moved_at = now_ms
        self.unacked += 1
        self.cursor = seq + 1
        self.published += 1
        if seq <= self._highest:
            self.repeated += 1
        else:
            self._highest = seq
        return length

    def on_puback(self, packet_id, now_ms):
        """Free the record's place in the window; False when no record has this identifier."""
        if not packet_id or packet_id not in self._ids:
            return False
        self._ids[self._ids.index(packet_id)] = 0
        self.waiting -= 1
        if self._by_puback:
            through = self.cursor - 1
            for i in range(self._window):
                if self._ids[i] and self._seqs[i] <= through:
                    through = self._seqs[i] - 1
            self.on_stored(self._journal.journal_id, through, now_ms)
        return True

    def on_stored(self, journal_id, seq, now_ms):
        """Everything through seq is stored; False when seq is foreign or of the future."""
        journal = self._journal
        if journal_id != journal.journal_id or seq >= journal.next:
            return False
        before = journal.acked
        journal.trim_through(journal_id, seq)
        if journal.acked != before:
            self._stall_ms = _STALL_MS
            self._moved_at = now_ms
            self.unacked = min(self.unacked, max(0, self.cursor - 1 - journal.acked))
        return True

    def watch(self, now_ms):
        """Go back to the last acknowledged record when acknowledgements have stalled."""
        if self.unacked and not self.waiting:
            if ticks_diff(now_ms, self._moved_at) >= self._stall_ms:
                self._stall_ms = min(2 * self._stall_ms, _STALL_MAX_MS)
                self._rewind(now_ms)

    def _rewind(self, now_ms):
        self.cursor = self._journal.acked + 1
        self.unacked = 0
        self._moved_at = now_ms
