"""Bytes a day, for networks that charge by them: what may still go, and what waits first.

Not here: who sends (agent/session.py), whose bytes are counted (firmware/counted.py). Counted is
what really passes: every byte given to or taken from TCP, records and handshakes of TLS with it,
and the datagrams of names and time. Estimated, from the safe side, are the heads of IP and TCP:
40 bytes for each segment and 40 for its acknowledgement, 300 for a connection's beginning and
end. Not seen are segments that the network lost and TCP sent again. The order in which things
wait is fixed:

    first    live values: they may use no more than the part of the day that has passed
    then     records: until nine tenths are spent; the rest waits in the journal, nothing is lost
    last     answers to commands and the session itself: until all is spent; then the gateway
             hangs up until the next day (UTC; without a clock, 24 hours of uptime)

The slot `budget` keeps what was spent in steps of a sixteenth, so that restarts do not begin the
day anew; a start without a clock takes the day of that slot for today until a clock says other.

    budget = Budget(2_000_000, ground)
    budget.at(wall_ms, True)                     # now and then
    budget.spend(120)                            # one write or read; spend_datagram, spend_opening
    budget.may_send_live, budget.may_send_records, budget.is_spent
"""

from struct import pack_into, unpack_from

from micropython import const

SLOT = "budget"
_DAY_MS = 86400000
_SEGMENT = const(1460)
_HEADS = const(80)  # IPv4 and TCP of a segment, and of its acknowledgement
_DATAGRAM = const(28)  # IPv4 and UDP
_OPENING = const(300)  # three segments to begin, four to end
_PARTS = const(16)


class Budget:
    """limit: bytes a day, 1 and more. ground: agent/store.Files or None."""

    def __init__(self, limit, ground):
        self.limit = limit
        self._ground = ground
        self._day = None
        self._is_known = False
        self._of_slot = 0  # the day of the slot, while no clock tells today
        self._passed_ms = 0
        self.spent = 0
        self._own = 0  # of it in this life
        self._kept = 0
        self._data = bytearray(8)

    def at(self, wall_ms, is_known):
        """Say what time it is, or the uptime where no clock is set; a new day begins at zero."""
        day = wall_ms // _DAY_MS
        self._passed_ms = wall_ms % _DAY_MS
        if day == self._day and is_known == self._is_known:
            return
        if self._day is None:
            self._of_slot, kept = self._load()
            self.spent = kept if day == self._of_slot or not is_known else 0
        elif is_known and not self._is_known:
            if day != self._of_slot:
                self.spent = self._own
        else:
            self.spent = self._own = 0
        self._day = day
        self._is_known = is_known
        self._kept = self.spent

    def spend(self, count):
        """Count one write to TCP, or one read from it, of that many bytes."""
        self._add(count + -(-count // _SEGMENT) * _HEADS)

    def spend_datagram(self, count):
        """Count one datagram with that many bytes of content."""
        self._add(count + _DATAGRAM)

    def spend_opening(self):
        """Count the segments that open and close one connection."""
        self._add(_OPENING)

    def _add(self, count):
        self.spent += count
        self._own += count
        if self.spent - self._kept > self.limit // _PARTS:
            self._keep()

    @property
    def may_send_live(self):
        """Whether live values keep to their part of the day."""
        return self.spent * (_DAY_MS // 1000) < self.limit * (self._passed_ms // 1000)

    @property
    def may_send_records(self):
        """Whether records may go."""
        return self.spent < self.limit - self.limit // 10

    @property
    def is_spent(self):
        """Whether nothing may go."""
        return self.spent >= self.limit

    def _load(self):
        """Return the day of the slot and what was spent in it, at most."""
        if self._ground is None:
            return 0, 0
        try:
            self._ground.open()
            length = self._ground.load(SLOT, self._data)
        except OSError:
            return 0, 0
        if length != len(self._data):
            return 0, 0
        day, spent = unpack_from(">II", self._data, 0)
        # Up to a sixteenth was spent after it was kept.
        return day, min(spent + self.limit // _PARTS, self.limit)

    def _keep(self):
        self._kept = self.spent
        if self._ground is None or self._day is None:
            return
        day = self._day if self._is_known else self._of_slot
        pack_into(">II", self._data, 0, day & 0xFFFFFFFF, min(self.spent, 0xFFFFFFFF))
        try:
            self._ground.begin(SLOT)
            self._ground.put(self._data, 0, len(self._data))
            self._ground.commit()
        except OSError:
            pass  # a restart may spend a little more: no reading hangs on it
