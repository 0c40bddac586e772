"""What a gateway was ordered, and what follows: a restart, a blinking LED, people at work.

Not here: whether a command may run (agent/commands.py) and what each does (agent/handlers.py).
Both are loaded while an authentic command is looked at, 8 KB that a gateway at rest saves; a
forgery is refused before.
"""

from binascii import crc32
from struct import pack_into, unpack_from

from micropython import const

from agent import forget
from drivers.ticks import ticks_add, ticks_diff

RESTART_MS = const(3000)
SLOT = "counter"
TRIED = "tried"  # the id of the last firmware that was tried, or never can be
COUNTER_MAX = const(0xFFFFFFFF)
_FORMAT = const(1)
_SLOT_BYTES = const(9)  # format, counter u32, CRC-32 of both


class CannotDo(Exception):
    """A command's answer is no: the text goes back to whoever sent it."""


class Orders:
    """One gateway's orders and their state.

    app: agent/app.App. keys: Mac or agent/keys.Keys, None: every command is refused and counted.
    ground: agent/store.Files or None; its slot `counter` remembers the last command taken.
    """

    def __init__(self, app, keys, ground):
        self.app = app
        self.ground = ground
        self.mac = keys
        self.has_led = False  # the loop says so when its hal has one
        self.why = ""  # why no command can be taken
        self._counts = {"unsigned": 0}  # unsigned: came while no key is provisioned
        self._last = 0
        self._restart_at = self._locate_until = None
        self._maintenance_until_ms = 0  # uptime
        if keys:
            self._counts["forged"] = 0
            self._last = self._load()

    def take(self, payload, now_ms):
        """Check and run one payload; return the answer, None when it gets none."""
        wrong = ""
        name = self.app.identity["gateway"]
        if self.mac is None:
            wrong = "unsigned"
        elif not self.mac.check(b"cmd" + name.encode(), payload, 0, len(payload)):
            wrong = "forged"
        if wrong:
            self._counts[wrong] += 1
            return None
        from agent.commands import Commands

        forget("commands")
        if self._last == COUNTER_MAX:  # the flash did not give it, and may now
            self._last = self._load()
        clock, do = self.app.clock, self.table()
        commands = Commands(name, self.mac, clock, self._last, self._save, do, self._counts)
        try:
            return commands.take(payload, now_ms)
        finally:
            self._last = commands.last

    def table(self):
        """Return what each command does, by its name."""
        from agent.handlers import Handlers

        forget("handlers")
        return Handlers(self).table

    def offered(self, offer):
        """Take a firmware's offer that was fetched, and is authentic, unless it was tried."""
        tried = bytearray(4)
        try:
            if self.ground is None:
                return
            if self.ground.load(TRIED, tried) and tried == offer[52:56]:
                return
        except OSError:
            return
        upgrade = self.load_upgrade()
        if upgrade:
            upgrade.offered(offer)

    def load_upgrade(self):
        """Return the App's upgrade, made when it is wanted first; None: there are no slots."""
        app = self.app
        if app.upgrade is None and app.make_upgrade is not None:
            app.upgrade = app.make_upgrade()
        return app.upgrade

    def is_located(self, now_ms):
        """Tell whether somebody looks for this board's LED (agent/lamp.py)."""
        if self._locate_until is None:
            return False
        if ticks_diff(self._locate_until, now_ms) <= 0:
            self._locate_until = None
            return False
        return True

    def locate(self, seconds):
        """Let the LED blink for so long."""
        self._locate_until = ticks_add(self.app.now_ms, seconds * 1000)

    def maintain(self, minutes):
        """Say in `state` for so long that people are at work; 0 ends it."""
        self._maintenance_until_ms = self.app.clock.uptime_ms + minutes * 60000

    def restart(self, now_ms):
        """Restart the gateway after RESTART_MS, so that what it says leaves first."""
        if self._restart_at is None:  # whoever asks again does not put it off
            self._restart_at = ticks_add(now_ms, RESTART_MS)

    def keeps_awake(self):
        """Tell whether people are at work here, or a restart is decided."""
        is_busy = self._restart_at is not None or self._locate_until is not None
        return is_busy or self._maintenance_until_ms > self.app.clock.uptime_ms

    def is_restart_due(self, now_ms):
        """Tell whether a commanded restart should happen now."""
        return self._restart_at is not None and ticks_diff(now_ms, self._restart_at) >= 0

    def report(self):
        """Return the counters for the state message: what was taken and what was refused."""
        tree: dict = dict(self._counts)
        left_ms = self._maintenance_until_ms - self.app.clock.uptime_ms
        tree["maintenance_s"] = max(0, left_ms // 1000)
        if self.why:
            tree["why"] = self.why
        return tree

    # --- the counter against replay

    def _load(self):
        """Return the last counter; the highest there is when it cannot be read, to refuse all."""
        data = bytearray(64)
        self.why = ""
        try:
            length = 0
            if self.ground is not None:
                self.ground.open()
                length = self.ground.load(SLOT, data)
        except OSError as error:
            self.why = "the command counter cannot be read: %s" % error
            return COUNTER_MAX
        if length == 0:
            return 0
        if length == _SLOT_BYTES and data[0] == _FORMAT:
            _, counter, found = unpack_from(">BII", data, 0)
            if found == crc32(bytes(data[:5])) & 0xFFFFFFFF:
                return counter
        self.why = "the command counter is damaged"
        return COUNTER_MAX

    def _save(self, counter):
        """Make the counter durable. Raises OSError."""
        data = bytearray(_SLOT_BYTES)
        pack_into(">BI", data, 0, _FORMAT, counter)
        pack_into(">I", data, 5, crc32(bytes(data[:5])) & 0xFFFFFFFF)
        if self.ground is None:
            raise OSError(19)
        self.ground.begin(SLOT)
        self.ground.put(data, 0, _SLOT_BYTES)
        self.ground.commit()
