"""What a gateway says of itself upstream: the schema of its blocks, its birth, its live state.

Not here: when it is said (app.py, uplink.py). Every name in it is the name that may leave the
device (privacy.py). The messages are drawn in agent/README.md, "Topics".
"""

import json
from hashlib import sha256

from agent.meter import STATE_NAMES


class Report:
    """One gateway's words. app: agent/app.App; heap: callable() -> (used, free) in bytes.

    config_hash  the 4 bytes of the schema's hash, as every block carries them
    config       the same as 8 hexadecimal digits
    """

    def __init__(self, app, heap):
        self._app = app
        self._heap = heap
        self._heap_peak = 0
        self.config_hash = sha256(json.dumps(self._make_schema()).encode()).digest()[:4]
        self.config = "".join(["%02x" % b for b in self.config_hash])

    def schema(self):
        """Return the tree of a SCHEMA record, made anew: it is wanted rarely, and is large."""
        tree = self._make_schema()
        tree["config"] = self.config
        return tree

    def _make_schema(self):
        meters = []
        for meter in self._app.meters:
            points = []
            for to, i in enumerate(meter.kept):
                p = meter.driver.points[i]
                points.append([p.name, p.unit, p.exponent, p.kind, str(p.code)])
                told = meter.thin.told(to) if meter.thin else None
                if told:
                    points[-1][2] = meter.thin.exponent(to)
                    points[-1].append(told)
            meters.append(
                {
                    "name": meter.shown,
                    "protocol": meter.config["protocol"],
                    "map": meter.config["map"],
                    "interval_s": meter.config["interval_s"],
                    "personal": meter.config["personal"],
                    "points": points,
                }
            )
        identity = self._app.identity
        return {"gateway": identity["gateway"], "site": identity["site"], "meters": meters}

    def boot(self, alive_ms, wall_ms, recovered):
        """Return the tree of a BOOT record: what may be missing, what was recovered."""
        tree = {
            "boot": self._app.identity["boot"],
            "cause": self._app.cause,
            "version": self._app.identity["version"],
            "from_ms": alive_ms,
            "to_ms": wall_ms,
            "open": recovered,
        }
        if self._app.brownouts:
            tree["brownouts"] = self._app.brownouts
        return tree

    def event(self, at_ms, what, why, meter):
        """Return the tree of an EVENT record; meter: its name upstream, "" for the gateway."""
        return {
            "at_ms": at_ms,
            "boot": self._app.identity["boot"],
            "uptime_ms": self._app.clock.uptime_ms,
            "what": what,
            "meter": meter,
            "why": why,
        }

    def time(self, wall_ms, source):
        """Return the tree of a TIME record: wall_ms is now."""
        return {
            "boot": self._app.identity["boot"],
            "uptime_ms": self._app.clock.uptime_ms,
            "wall_ms": wall_ms,
            "source": source,
        }

    def birth(self, wall_ms):
        """Return the birth's bytes; wall_ms: now, 0 while the clock is not to be trusted."""
        app = self._app
        tree = dict(app.identity)
        tree["journal"] = app.journal.journal_id
        tree["first"] = app.journal.first
        tree["next"] = app.journal.next
        tree["cause"] = app.cause
        tree["config"] = self.config
        tree["schema"] = self.schema()
        tree["uptime_ms"] = app.clock.uptime_ms
        tree["wall_ms"] = wall_ms
        return json.dumps(tree).encode()

    def health(self, wall_ms):
        """Return what a HEALTH record says, a new dict; wall_ms as for birth()."""
        app = self._app
        tree = app.forecast.take(app.clock.uptime_ms)
        tree["at_ms"] = wall_ms
        tree["boot"] = app.identity["boot"]
        tree["uptime_ms"] = app.clock.uptime_ms
        tree["forced"] = app.quiet.forced
        tree["waited_ms"] = app.quiet.waited_ms
        if app.health and app.health.resting:
            tree["resting"] = app.health.resting
        if app.supply:
            tree["supply_mv"] = app.supply.mv
            tree["supply_low"] = app.supply.times
        return tree

    def state(self, wall_ms):
        """Return the live state's bytes; wall_ms as for birth()."""
        app = self._app
        used, free = self._heap()
        self._heap_peak = max(self._heap_peak, used)
        journal = app.journal
        # While a backlog drains, oldest first, the newest values ride here.
        is_behind = journal.next - journal.first > app.config["uplink"]["ahead"]
        return json.dumps(
            {
                "uptime_ms": app.clock.uptime_ms,
                "wall_ms": wall_ms,
                "clock": app.clock.state,
                "clock_why": app.timekeeper.why if app.timekeeper else "",
                "heap": used,
                "heap_free": free,
                "heap_peak": self._heap_peak,
                "journal": journal.fill_permille,
                "lasts": [app.forecast.autonomy_h, app.forecast.years],
                "records": [journal.first, journal.next, journal.durable],
                "in_flight": app.uplink.in_flight,
                "uplink": app.uplink.state,
                "commands": app.orders.report(),
                "withheld": app.privacy.withheld if app.privacy else 0,
                "cures": app.health.counts if app.health else None,
                "resting": app.health.resting if app.health else [],
                "purge": app.purge.state if app.purge else "",
                "update": app.upgrade.report() if app.upgrade else None,
                "meters": [
                    {
                        "name": m.shown,
                        "values": m.values if is_behind and not m.config["personal"] else None,
                        "state": STATE_NAMES[m.state],
                        "answers": m.answers,
                        "no_reply": m.no_reply,
                        "bad_frames": m.bad_frames,
                        "refused": m.refused,
                        "at_ms": m.at_ms,
                    }
                    for m in app.meters
                ],
            }
        ).encode()
