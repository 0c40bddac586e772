"""Uptime that does not wrap, wall time, and whether wall time may be trusted.

Not here: asking a server (agent/sntp.py makes and reads the packets) and the hardware clock.
Wall time is milliseconds since 1970-01-01 UTC on every port: MicroPython counts from 2000 on
some chips, so the hal reads and sets their clocks by date (firmware/hal/chip.py). Wall time never
drives a timer: it labels readings.

    clock = Clock(boot=0x1234)
    clock.tick(now_ms)                          # at least every 6 days: ticks wrap after 12.4
    clock.set_wall(1766534400000, now_ms, "sntp")
    clock.wall_ms_at(now_ms)                    # (1766534400000, TRUSTED)
"""

from micropython import const

from drivers.ticks import ticks_diff

# Codes are part of the block format: never renumber.
UPTIME_ONLY = const(0)
TRUSTED = const(1)
FREE_RUNNING = const(2)

TRUST_MS = 6 * 3600 * 1000  # +-40 ppm of a crystal stay below 1 s this long
FLOOR_MS = 1767225600000  # 2026-01-01: no reading of this code is older
BUILT_MS = 0  # the day this program was compiled: host_tools/packing/image.py writes it here
CEILING_MS = 4102444800000  # 2100-01-01
SLEW_MS = const(2000)  # a smaller correction is slewed, a larger one is a declared step
_SLEW_PERMILLE = const(1)  # 1 ms per second


class Clock:
    """One per boot. boot: the boot id, u32, drawn at start."""

    def __init__(self, boot=0, floor_ms=FLOOR_MS):
        self.boot = boot
        self.floor_ms = floor_ms  # when this program was written: earlier is not believed
        # For TLS alone, so that a wrong clock of a builder or a lie of a server refuses no true
        # time: the day of the build, then the last time in flash.
        self.remembered_ms = BUILT_MS
        self.uptime_ms = 0
        self.source = ""
        self.steps = 0
        self.last_step_ms = 0  # signed; 0 when the last setting was slewed
        self._tick = None
        self._is_set = False
        self._base_ms = 0  # wall time at uptime 0, meaningless until set
        self._set_at = 0  # uptime of the last setting
        self._slew_ms = 0  # signed correction still to be spread
        self._slew_from = 0  # uptime up to which it was spread

    def tick(self, now_ms):
        """Extend the wrapping tick to uptime_ms; return it. Never runs backwards."""
        if self._tick is None:
            self._tick = now_ms
            return self.uptime_ms
        passed = ticks_diff(now_ms, self._tick)
        if passed > 0:
            self.uptime_ms += passed
            self._tick = now_ms
            if self._slew_ms:
                self._slew()
        return self.uptime_ms

    def uptime_ms_at(self, tick):
        """Return the uptime of a tick within +-6 days of the last tick()."""
        if self._tick is None:
            return self.uptime_ms
        return self.uptime_ms + ticks_diff(tick, self._tick)

    def set_wall(self, wall_ms, now_ms, source):
        """Set wall time; return the signed step in ms (0 when it was slewed or first set).

        Refused with ValueError outside the floor .. 2099. source: text for the health record.
        A first setting is no step: readings before it carry the uptime and the boot id.
        """
        if not self.floor_ms <= wall_ms < CEILING_MS:
            raise ValueError("wall time %d ms, %d .. 2099 wanted" % (wall_ms, self.floor_ms))
        self.tick(now_ms)
        base = wall_ms - self.uptime_ms
        step = 0
        if not self._is_set:
            self._is_set = True
            self._base_ms = base
        else:
            off = base - self._base_ms
            if -SLEW_MS <= off <= SLEW_MS:
                self._slew_ms = off
                self._slew_from = self.uptime_ms
            else:
                self._base_ms = base
                self._slew_ms = 0
                self.steps += 1
                step = off
        self.last_step_ms = step
        self._set_at = self.uptime_ms
        self.source = source
        return step

    @property
    def age_ms(self):
        """How long ago the clock was set; meaningless while UPTIME_ONLY."""
        return self.uptime_ms - self._set_at

    def age(self, ms):
        """The clock was set so long before this life: trust is not renewed by a sleep."""
        self._set_at -= ms

    @property
    def state(self):
        """UPTIME_ONLY, TRUSTED or FREE_RUNNING now."""
        if not self._is_set:
            return UPTIME_ONLY
        return TRUSTED if self.uptime_ms - self._set_at <= TRUST_MS else FREE_RUNNING

    def wall_ms_at(self, tick):
        """Return (ms, state) of a tick: wall time, or the uptime while state is UPTIME_ONLY."""
        uptime = self.uptime_ms_at(tick)
        if not self._is_set:
            return uptime, UPTIME_ONLY
        return self._base_ms + uptime, self.state

    def wall_ms_of_uptime(self, uptime_ms):
        """Return the true time of a moment of this life; meaningless while UPTIME_ONLY."""
        return self._base_ms + uptime_ms

    def tls_ms(self):
        """Return the time that TLS should assume: wall time, while unset the latest known."""
        if not self._is_set:
            return max(self.floor_ms, self.remembered_ms)
        return self._base_ms + self.uptime_ms

    def _slew(self):
        """Spread the correction: at most 1 ms per second, so that time stays monotonic."""
        may = (self.uptime_ms - self._slew_from) * _SLEW_PERMILLE // 1000
        if may <= 0:
            return
        self._slew_from += may * 1000 // _SLEW_PERMILLE
        part = min(may, self._slew_ms) if self._slew_ms > 0 else max(-may, self._slew_ms)
        self._base_ms += part
        self._slew_ms -= part


def days_from_civil(year, month, day):
    """Return the days from 1970-01-01 to a date of the Gregorian calendar (Hinnant, 2013)."""
    if month <= 2:
        year -= 1
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


def civil_from_days(days):
    """Return (year, month, day) of a count of days from 1970-01-01."""
    days += 719468
    era = days // 146097
    of_era = days - era * 146097
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    day = of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year + era * 400 + (1 if month <= 2 else 0), month, day
