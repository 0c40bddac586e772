"""What may leave the device about a person's meter: a pseudonym, and not too often.

Not here: encryption of the transport. A meter marked `personal` is named upstream by a keyed
pseudonym, and keeps one reading per interval: a day, unless a recorded consent that has not
ended allows a finer one. (In France, load curves of a Linky need the customer's consent: CNIL
recommendation of 15 November 2012, deliberation 2012-404; daily values are the default.)

    privacy = Privacy(config["meters"], key, ground)
    privacy.name(0)                             # "p-3f0c9a1be2d47758"
    privacy.admit(0, wall_ms, TRUSTED)          # True once a day

Configuration of a meter: `personal`: true, and optionally
`consent`: {"reference": "2026-114", "until_ms": 1830000000000, "interval_s": 600}.
"""

import json

from micropython import const

from agent.clock import UPTIME_ONLY
from agent.mac import Mac

DAY_S = 86400
SLOT = "personal"
_SLOT_MAX = const(2048)


class Privacy:
    """Decides for each meter by its index in the configuration.

    key: 32 bytes, never sent; b"" when no meter is personal, else ValueError. ground:
    agent/store.Files or None; its slot `personal` keeps saved(): written before a reading is
    admitted, so that a power cut may cost one reading and never gives a second one.
    """

    def __init__(self, meters, key, ground=None):
        self._meters = meters
        self._is_private = bool([m for m in meters if m.get("personal")])
        self._mac = Mac(key) if key or self._is_private else None
        self._last_ms: list = [None] * len(
            meters
        )  # wall time of the last admitted personal reading
        self._ground = ground
        self.withheld = 0
        self.why = ""  # why the last admissions could not be read or kept
        if ground is not None and self._is_private:
            self._load()

    def name(self, meter):
        """Return the name that leaves the device: a pseudonym when personal."""
        name = self._meters[meter]["name"]
        if not self._meters[meter].get("personal"):
            return name
        tag = self._mac.tag(b"meter", name.encode())
        return "p-" + "".join("%02x" % b for b in tag[:8])

    def interval_s(self, meter, wall_ms):
        """Return the finest interval allowed at that time, 0: no limit."""
        row = self._meters[meter]
        if not row.get("personal"):
            return 0
        consent = row.get("consent")
        if not consent or not consent.get("reference") or wall_ms > consent["until_ms"]:
            return DAY_S
        return min(DAY_S, consent["interval_s"])

    def admit(self, meter, at_ms, clock_state):
        """Tell whether a reading may be kept at all; at_ms and state as of Clock.wall_ms_at.

        One reading per interval of wall time. Without wall time no day can be told from the
        next and no consent can be checked, so nothing personal is kept.
        """
        if not self._meters[meter].get("personal"):
            return True
        if clock_state == UPTIME_ONLY:
            self.withheld += 1
            return False
        interval_ms = self.interval_s(meter, at_ms) * 1000
        last = self._last_ms[meter]
        if last is not None and at_ms // interval_ms <= last // interval_ms:
            self.withheld += 1
            return False
        self._last_ms[meter] = at_ms
        if self._ground is not None:
            try:
                self._keep(json.dumps(self.saved()).encode())
            except OSError as error:
                self._last_ms[meter] = last
                self.withheld += 1
                self.why = "the last admission cannot be kept: %s" % error
                return False
        return True

    def saved(self):
        """Return what must survive a restart: {pseudonym: time in ms of its last reading}."""
        tree: dict = {}
        for i, at_ms in enumerate(self._last_ms):
            if at_ms is not None:
                tree[self.name(i)] = at_ms
        return tree

    def restore(self, saved):
        """Take back saved(); meters that another configuration left out are forgotten."""
        for i, row in enumerate(self._meters):
            at_ms = saved.get(self.name(i))
            if row.get("personal") and isinstance(at_ms, int):
                self._last_ms[i] = at_ms

    def _keep(self, data):
        self._ground.begin(SLOT)
        self._ground.put(data, 0, len(data))
        self._ground.commit()

    def _load(self):
        data = bytearray(_SLOT_MAX)
        try:
            self._ground.open()
            length = self._ground.load(SLOT, data)
            if length:
                self.restore(json.loads(bytes(data[:length])))
        except (OSError, ValueError, AttributeError) as error:
            self.why = "the last admissions cannot be read: %s" % error

    def words(self):
        """Return in words what leaves the device, one line per meter."""
        lines = []
        for index, row in enumerate(self._meters):
            if not row.get("personal"):
                lines.append("%s: every reading, under its name" % row["name"])
                continue
            text = "%s: personal, as %s, one reading a day" % (row["name"], self.name(index))
            consent = row.get("consent")
            if consent and consent.get("reference"):
                text += "; every %d s by consent %s until %s" % (
                    self.interval_s(index, 0),
                    consent["reference"],
                    consent["until"],
                )
            lines.append(text)
        return lines
