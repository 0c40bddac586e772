"""What may leave the device about a person's meter: a pseudonym, and not too often.

Not here: encryption of the transport. A meter marked `personal` is named upstream by a keyed
pseudonym, and keeps one reading per interval: a day, unless a recorded consent that has not
ended allows a finer one. (In France, load curves of a Linky need the customer's consent: CNIL
recommendation of 15 November 2012, deliberation 2012-404; daily values are the default.)

    privacy = Privacy(config["meters"], key)
    privacy.name(0)                             # "p-3f0c9a1be2d47758"
    privacy.admit(0, wall_ms, TRUSTED)          # True once a day

Configuration of a meter: `personal`: true, and optionally
`consent`: {"reference": "2026-114", "until_ms": 1830000000000, "interval_s": 600}.
"""

from agent.clock import UPTIME_ONLY
from agent.mac import Mac

DAY_S = 86400


class Privacy:
    """Decides for each meter by its index in the configuration. key: 32 bytes, never sent."""

    def __init__(self, meters, key):
        self._meters = meters
        self._mac = Mac(key)
        self._last_ms = [None] * len(meters)  # wall time of the last admitted personal reading
        self.withheld = 0

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
        return True

    def saved(self):
        """Return what must survive a restart: the last admitted times, by meter."""
        return list(self._last_ms)

    def restore(self, saved):
        """Take back saved(); a list of another length (another configuration) is ignored."""
        if len(saved) == len(self._last_ms):
            self._last_ms = list(saved)

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
                text += "; every %d s by consent %s until %d ms" % (
                    self.interval_s(index, 0),
                    consent["reference"],
                    consent["until_ms"],
                )
            lines.append(text)
        return lines
