"""What each command from upstream does; the one place that acts on a gateway from outside.

Not here: whether a command may run (agent/commands.py: signed for this gateway, unexpired, never
twice). No command carries code, none frees the journal; a changed interval and log level hold
until the next start and are noted as events.

    read_now      {"meter": NAME} or {}: ask now; the values come as ever, in the next block
    set_interval  {"meter": NAME, "interval_s": 1 .. 86400}
    log_level     {"level": "debug" | "info" | "warn" | "error"}
    maintenance   {"minutes": 0 .. 1440}: says in `state` that people are at work; 0 ends it
                  {"minutes": 1 .. 60, "stop": true}: restarts and runs nothing: for a cable
    configure     a new configuration, on trial: reconfigure.py
    locate        {"seconds": 1 .. 600}: blinks the board's LED
    purge         {}: the flash forgets what was sent: purge.py
    key           the next key, on trial: keys.py
    certificate   new certificates of the uplink, on trial: certificates.py
    update        {"offer": HEX}: fetch a signed firmware, then try it: update.py
    reboot        {}: after RESTART_MS, so that the answer leaves first
"""

from binascii import crc32
from struct import pack_into, unpack_from

from micropython import const

from agent import log as log_
from agent.commands import COUNTER_MAX, CannotDo, Commands
from drivers.ticks import ticks_add, ticks_diff

RESTART_MS = const(3000)
SLOT = "counter"
_FORMAT = const(1)
_SLOT_BYTES = const(9)  # format, counter u32, CRC-32 of both
_BLINK_MS = const(250)


class Orders:
    """One gateway's handlers and their state.

    app: agent/app.App. keys: Mac or agent/keys.Keys, None: every command is refused and counted.
    ground: agent/store.Files or None; its slot `counter` remembers the last command taken.
    """

    def __init__(self, app, keys, ground):
        self._app = app
        self._ground = ground
        self.has_led = False  # the loop says so when its hal has one
        self.unsigned = 0  # commands that came while no key is provisioned
        self.why = ""  # why no command can be taken
        self._restart_at = self._locate_until = None
        self._maintenance_until_ms = 0  # uptime
        self.commands = None
        if keys:
            handlers = {
                "read_now": self._read_now,
                "set_interval": self._set_interval,
                "log_level": self._log_level,
                "maintenance": self._maintenance,
                "locate": self._locate,
                "reboot": self._reboot,
                "certificate": self._certificate,
                "key": self._key,
                "purge": self._purge,
                "update": self._update,
                "configure": self._configure,
            }
            name = app.identity["gateway"]
            self.commands = Commands(name, keys, app.clock, self._load(), self._save, handlers)

    def take(self, payload, now_ms):
        """Check and run one payload; return the answer, None when it gets none."""
        if self.commands is None:
            self.unsigned += 1
            return None
        return self.commands.take(payload, now_ms)

    def step(self, now_ms):
        """Tell whether the LED should shine now."""
        if self._locate_until is None:
            return False
        left = ticks_diff(self._locate_until, now_ms)
        if left <= 0:
            self._locate_until = None
            return False
        return left // _BLINK_MS % 2 == 1

    def is_restart_due(self, now_ms):
        """Tell whether a commanded restart should happen now."""
        return self._restart_at is not None and ticks_diff(now_ms, self._restart_at) >= 0

    def report(self):
        """Return the counters for the state message: what was taken and what was refused."""
        tree: dict = dict(self.commands.counts) if self.commands else {}
        tree["unsigned"] = self.unsigned
        left_ms = self._maintenance_until_ms - self._app.clock.uptime_ms
        tree["maintenance_s"] = max(0, left_ms // 1000)
        if self.why:
            tree["why"] = self.why
        return tree

    # --- the counter against replay

    def _load(self):
        """Return the last counter; the highest there is when it cannot be read, to refuse all."""
        data = bytearray(64)
        try:
            length = 0
            if self._ground is not None:
                self._ground.open()
                length = self._ground.load(SLOT, data)
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
        if self._ground is None:
            raise OSError(19)
        self._ground.begin(SLOT)
        self._ground.put(data, 0, _SLOT_BYTES)
        self._ground.commit()

    # --- the handlers: args dict -> JSON tree, or CannotDo

    def _meters(self, args):
        name = args.get("meter")
        found = [m for m in self._app.meters if name in (None, m.shown)]
        if not found:
            raise CannotDo("no meter %s" % name)
        return found

    def _read_now(self, args):
        asked = [m.shown for m in self._meters(args) if self._app.ask_now(m)]
        return {"asked": asked}

    def _set_interval(self, args):
        meter = self._meters({"meter": args.get("meter", "")})[0]
        interval_s = _number(args, "interval_s", 1, 86400)
        self._app.set_interval(meter, interval_s)
        return {"meter": meter.shown, "interval_s": interval_s, "until": "restart"}

    def _log_level(self, args):
        level = args.get("level")
        if level not in log_.LEVELS:
            raise CannotDo("level: %r is not one of debug, info, warn, error" % (level,))
        self._app.log.level = log_.LEVELS[level]
        return {"level": level, "until": "restart"}

    def _maintenance(self, args):
        if args.get("stop") is True:
            minutes = _number(args, "minutes", 1, 60)
            self._changes().ask_maintenance(minutes)
            self._app.note_event("maintenance", "stopped for %d min" % minutes)
            self.restart(self._app.now_ms)
            return {"minutes": minutes, "in_ms": RESTART_MS}
        minutes = _number(args, "minutes", 0, 1440)
        self._maintenance_until_ms = self._app.clock.uptime_ms + minutes * 60000
        self._app.note_event("maintenance", "%d min" % minutes)
        return {"minutes": minutes}

    def _locate(self, args):
        if not self.has_led:
            raise CannotDo("this board has no LED")
        seconds = _number(args, "seconds", 1, 600)
        self._locate_until = ticks_add(self._app.now_ms, seconds * 1000)
        return {"seconds": seconds}

    def _certificate(self, args):
        if not self._app.config["uplink"]["tls"]:
            raise CannotDo("the uplink has no TLS")
        return self._app.load_certificates().order(args)

    def _key(self, args):
        return self._app.load_keys().order(args)

    def _purge(self, args):
        if self._app.purge is None:
            from agent.purge import Purge

            self._app.purge = Purge(self._app, [self._app.journal.ground, self._ground])
        return self._app.purge.begin()

    def _update(self, args):
        return self._changes().order(args)

    def _configure(self, args):
        return self._changes().configure(args)

    def _changes(self):
        app = self._app
        if app.upgrade is None and app.make_upgrade is not None:
            app.upgrade = app.make_upgrade()
        if app.upgrade is None:
            raise CannotDo("this gateway has no slots")
        return app.upgrade

    def restart(self, now_ms):
        """Restart the gateway after RESTART_MS, so that what it says leaves first."""
        self._restart_at = ticks_add(now_ms, RESTART_MS)

    def _reboot(self, args):
        self.restart(self._app.now_ms)
        return {"in_ms": RESTART_MS}


def _number(args, name, least, most):
    value = args.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise CannotDo("%s: %r is not a whole number within %d .. %d" % (name, value, least, most))
    return value
