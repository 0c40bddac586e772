"""The time that TLS assumes before anyone has told the true one.

Not here: who tells it (agent/timekeeper.py). A chip that lost its power says 2000 or 2021, and
every certificate is then "not yet valid". The true time is later than the day this program was
made, and later than the last time in the journal: the later of both is given to the chip's clock
before a handshake. It labels no reading, and after a restart it is not mistaken for a time that
somebody knew: the slot `clock` remembers that it was assumed.

    floor = Floor(clock, ground)
    if floor.trusts(hal.wall_ms()): clock.set_wall(...)
    floor.assume(hal.set_wall)                  # before each handshake
    floor.known()                               # a time server was believed
"""

from agent.clock import CEILING_MS, UPTIME_ONLY

SLOT = "clock"
_ASSUMED = b"assumed"


class Floor:
    """clock: agent/clock.Clock; ground: agent/store.Files or None."""

    def __init__(self, clock, ground):
        self._clock = clock
        self._ground = ground
        self._is_assumed = False
        if ground is not None:
            data = bytearray(len(_ASSUMED))
            try:
                ground.open()
                self._is_assumed = ground.load(SLOT, data) > 0
            except OSError:
                self._is_assumed = True  # who cannot read it does not trust the chip's clock

    def trusts(self, wall_ms):
        """Tell whether the chip's clock is a time that somebody knew; wall_ms 0: it has none."""
        return not self._is_assumed and self._clock.floor_ms <= wall_ms < CEILING_MS

    def assume(self, set_wall):
        """Give the chip's clock a time for TLS while the true one is unknown."""
        if self._clock.state != UPTIME_ONLY:
            return
        self._keep(True)
        set_wall(self._clock.tls_ms())

    def known(self):
        """The chip's clock has the true time."""
        self._keep(False)

    def words(self):
        """Return what a refused certificate may owe to the clock, "" when nothing."""
        return ", the clock is not set" if self._clock.state == UPTIME_ONLY else ""

    def _keep(self, is_assumed):
        if is_assumed == self._is_assumed:
            return
        if self._ground is not None:
            data = _ASSUMED if is_assumed else b""
            try:
                self._ground.begin(SLOT)
                self._ground.put(data, 0, len(data))
                self._ground.commit()
            except OSError:
                if not is_assumed:
                    return  # it stays distrusted: after a restart a server is asked first
        self._is_assumed = is_assumed
