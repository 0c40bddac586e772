"""What each command from upstream does; the one place that acts on a gateway from outside.

Not here: whether a command may run (agent/commands.py: signed for this gateway, unexpired, never
twice), what lasts beyond the answer (agent/orders.py). No command carries code, none frees the
journal; a changed interval and log level hold until the next start and are noted as events.

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

from agent import log as log_
from agent.orders import RESTART_MS, CannotDo


class Handlers:
    """table: what a command's `do` may be -> the function that takes its args, a dict.

    Each returns a JSON tree or raises CannotDo. orders: agent/orders.Orders.
    """

    def __init__(self, orders):
        self._orders = orders
        self._app = orders.app
        self.table = {
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
            self._orders.restart(self._app.now_ms)
            return {"minutes": minutes, "in_ms": RESTART_MS}
        minutes = _number(args, "minutes", 0, 1440)
        self._orders.maintain(minutes)
        self._app.note_event("maintenance", "%d min" % minutes)
        return {"minutes": minutes}

    def _locate(self, args):
        if not self._orders.has_led:
            raise CannotDo("this board has no LED")
        seconds = _number(args, "seconds", 1, 600)
        self._orders.locate(seconds)
        return {"seconds": seconds}

    def _certificate(self, args):
        if not self._app.config["uplink"]["tls"]:
            raise CannotDo("the uplink has no TLS")
        self._refuse_on_trial()
        return self._app.load_certificates().order(args)

    def _key(self, args):
        self._refuse_on_trial()
        return self._app.load_keys().order(args)

    def _refuse_on_trial(self):
        """A configuration that goes back must find its own key and certificates as they were."""
        upgrade = self._app.upgrade
        if upgrade and upgrade.tries_settings:
            raise CannotDo("a configuration is on trial")

    def _purge(self, args):
        app = self._app
        if app.purge is None:
            from agent.purge import Purge

            app.purge = Purge(app, [app.journal.ground, self._orders.ground])
        return app.purge.begin()

    def _update(self, args):
        return self._changes().order(args)

    def _configure(self, args):
        return self._changes().configure(args)

    def _changes(self):
        upgrade = self._orders.load_upgrade()
        if upgrade is None:
            raise CannotDo("this gateway has no slots")
        return upgrade

    def _reboot(self, args):
        self._orders.restart(self._app.now_ms)
        return {"in_ms": RESTART_MS}


def _number(args, name, least, most):
    value = args.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise CannotDo("%s: %r is not a whole number within %d .. %d" % (name, value, least, most))
    return value
