"""How long the journal lasts without its collector, and how long its flash: a HEALTH record a day.

Not the counting: appended bytes are the journal's, erases the ground's: real counts of each
block in the ring; in files an estimate, for littlefs does not tell (agent/JOURNAL.md, "Forecast").

    forecast = Forecast(journal)
    if forecast.is_due(uptime_ms): tree = forecast.take(uptime_ms)
"""

from micropython import const

_FIRST_MS = const(3_600_000)
_DAY_MS = const(86_400_000)
_CYCLES = const(100_000)  # W25Q16JV and the flash of ESP32 modules: erases that a block bears
_YEARS_MAX = const(999)


class Forecast:
    """What is said of one journal: after an hour, then each day, at the rates since then.

    autonomy_h, years   as of the last word; None: not known
    """

    def __init__(self, journal):
        self._journal = journal
        self._begun_ms = 0
        self._due_ms = _FIRST_MS
        self._erased = None  # as of the beginning
        self.autonomy_h = None
        self.years = None

    def is_due(self, uptime_ms):
        """Say whether it is time."""
        if self._erased is None:
            self._erased = self._journal.ground.erased
            self._begun_ms = uptime_ms
            self._due_ms = uptime_ms + _FIRST_MS
        return uptime_ms >= self._due_ms

    def span(self):
        """Return (begin, end, erases at the beginning) of what is being counted, for resume()."""
        return self._begun_ms, self._due_ms, self._erased or 0

    def resume(self, begun_ms, due_ms, erased):
        """Go on counting where a sleep interrupted it."""
        self._begun_ms, self._due_ms, self._erased = begun_ms, due_ms, erased

    def take(self, uptime_ms):
        """Return what a HEALTH record says of the journal, a new dict; begin the next day."""
        journal = self._journal
        ground = journal.ground
        span_ms = max(1, uptime_ms - self._begun_ms)
        erased = max(0, ground.erased - self._erased)
        room = journal.segments_max * ground.segment_size
        free = room - room * journal.fill_permille // 1000
        tree = {
            "fill_permille": journal.fill_permille,
            "bytes_day": journal.taken * _DAY_MS // span_ms,
            "wear_mean": ground.erased // ground.blocks,
            "wear_hottest": ground.hottest,
            "wear_is_estimate": ground.is_estimate,
            "errors": journal.errors,
            "damaged": journal.damaged_places,
            "lost": [journal.lost_first, journal.lost_last],
            "degraded": journal.degraded,
        }
        self.autonomy_h = self.years = None
        if journal.taken:
            self.autonomy_h = free * (span_ms // 1000) // journal.taken // 3600
        if erased:
            # The hottest goes on as before: it wears as much faster than all as it has till now.
            left = max(0, _CYCLES - ground.hottest)
            share = max(1000, ground.hottest * 1000 * ground.blocks // max(1, ground.erased))
            years = (
                left * ground.blocks * (span_ms // 1000) * 1000 // (erased * share * 31_536_000)
            )
            self.years = min(years, _YEARS_MAX)
        tree["autonomy_h"] = self.autonomy_h
        tree["years"] = self.years
        self._begun_ms = uptime_ms
        self._due_ms = uptime_ms + _DAY_MS
        self._erased = ground.erased
        journal.taken = 0
        return tree
