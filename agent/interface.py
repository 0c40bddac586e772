"""Which network to join, and when to try again: WiFi with several networks, or a cable.

Not the radio: firmware/link.py asks the hal's interface for its state and does what this says.
The networks are tried in the order of the configuration, JOIN_MS each; after a round without
success there is a pause with full jitter, and every fourth such round the interface is switched
off and on, which has cured more than one radio. A network that was joined is tried first again.

    wait_ms = interface.step(now_ms, is_up, is_refused)
    if interface.action == interface.JOIN: join(interface.network)
"""

from micropython import const

from agent.backoff import Backoff
from drivers.ticks import ticks_add, ticks_diff

JOIN_MS = const(20_000)
DIAL_MS = const(180_000)
_LOST_MS = const(10_000)  # what roams or renews its address is back by then
_LOOK_MS = const(500)
_RESTART_ROUNDS = const(4)


class Interface:
    """networks: rows of the configuration's network.wifi, or [{}] for a cable.

    join_ms: how long one attempt may take; a modem dials longer than a radio joins
    """

    NOTHING = 0
    JOIN = 1
    RESTART = 2

    def __init__(self, networks, random, join_ms=JOIN_MS):
        self._join_ms = join_ms
        self._networks = networks
        self._backoff = Backoff(random)
        self._index = 0
        self._tried = 0  # networks of this round
        self._rounds = 0
        self._until_ms = None  # None: at once
        self._is_waiting = False  # between two rounds
        self.is_up = False
        self.action = self.NOTHING
        self.joins = 0  # how often the network was reached

    @property
    def network(self):
        """The row to join."""
        return self._networks[self._index]

    def step(self, now_ms, is_up, is_hopeless):
        """Decide; return the ms until the next call at the latest.

        is_up: there is an address. is_hopeless: this attempt needs no more time: the key is
        refused, or no such network is heard.
        """
        self.action = self.NOTHING
        if is_up:
            self._reached(now_ms)
            return _LOOK_MS
        if self.is_up:
            if ticks_diff(now_ms, self._until_ms) < 0:
                return _LOOK_MS
            self.is_up = False
            self._backoff.ended(ticks_diff(now_ms, self._since_ms))
            self._until_ms = None
            self._tried = 0
        if self._until_ms is None:
            self._join(now_ms)
        elif self._is_waiting:
            left = ticks_diff(self._until_ms, now_ms)
            if left > 0:
                return min(left, _LOOK_MS)
            self._is_waiting = False
            self._join(now_ms)
        elif is_hopeless or ticks_diff(self._until_ms, now_ms) <= 0:
            self._next(now_ms)
        return _LOOK_MS

    def _reached(self, now_ms):
        if not self.is_up:
            self.is_up = True
            self.joins += 1
            self._rounds = 0
            self._since_ms = now_ms
        self._is_waiting = False
        self._until_ms = ticks_add(now_ms, _LOST_MS)

    def _join(self, now_ms):
        self.action = self.JOIN
        self._until_ms = ticks_add(now_ms, self._join_ms)

    def _next(self, now_ms):
        self._index = (self._index + 1) % len(self._networks)
        self._tried += 1
        if self._tried < len(self._networks):
            self._join(now_ms)
            return
        self._tried = 0
        self._rounds += 1
        if self._rounds % _RESTART_ROUNDS == 0:
            self.action = self.RESTART
        self._is_waiting = True
        self._until_ms = ticks_add(now_ms, self._backoff.wait_ms())
