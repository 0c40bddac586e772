"""Bytes a day, for networks that charge by them: what may still go, and what waits first.

Not here: who sends (agent/session.py). Counted are our bytes both ways with an estimate of what
TLS, TCP and IP put around each write, so the bill is met from the safe side. The order in which
things wait is fixed:

    first    live values: they may use no more than the part of the day that has passed
    then     records: until nine tenths are spent; the rest waits in the journal, nothing is lost
    last     answers to commands and the session itself: until all is spent; then the gateway
             hangs up until the next day (UTC; without a clock, 24 hours of uptime)

The slot `budget` keeps what was spent in steps of a sixteenth, so that restarts do not begin the
day anew.

    budget = Budget(2_000_000, True, ground)
    budget.at(wall_ms)                           # now and then
    budget.spend(120)
    budget.may_send_live, budget.may_send_records, budget.is_spent
"""

from struct import pack_into, unpack_from

from micropython import const

SLOT = "budget"
_DAY_MS = 86400000
_IP_TCP = const(40)
_TLS = const(29)  # a record of AES-GCM: header 5, nonce 8, tag 16
_PARTS = const(16)


class Budget:
    """limit: bytes a day, 1 and more. is_tls: whether records of TLS are around each write."""

    def __init__(self, limit, is_tls, ground):
        self.limit = limit
        self._around = _IP_TCP + (_TLS if is_tls else 0)
        self._ground = ground
        self._day = None
        self._passed_ms = 0
        self.spent = 0
        self._kept = 0
        self._data = bytearray(8)

    def at(self, wall_ms):
        """Say what time it is; a new day begins at zero."""
        day = wall_ms // _DAY_MS
        self._passed_ms = wall_ms % _DAY_MS
        if day == self._day:
            return
        is_start = self._day is None
        self._day = day
        self.spent = self._load(day) if is_start else 0
        self._kept = self.spent

    def spend(self, count):
        """Count one write or read of that many bytes."""
        self.spent += count + self._around
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

    def _load(self, day):
        if self._ground is None:
            return 0
        try:
            self._ground.open()
            length = self._ground.load(SLOT, self._data)
        except OSError:
            return 0
        if length != len(self._data):
            return 0
        of_day, spent = unpack_from(">II", self._data, 0)
        # Up to a sixteenth was spent after it was kept.
        return min(spent + self.limit // _PARTS, self.limit) if of_day == day else 0

    def _keep(self):
        self._kept = self.spent
        if self._ground is None or self._day is None:
            return
        pack_into(">II", self._data, 0, self._day & 0xFFFFFFFF, min(self.spent, 0xFFFFFFFF))
        try:
            self._ground.begin(SLOT)
            self._ground.put(self._data, 0, len(self._data))
            self._ground.commit()
        except OSError:
            pass  # a restart may spend a little more: no reading hangs on it
