"""Values coarser or steadier than they were read, where the configuration asks for it (`thin`).

Off unless configured, and then not even loaded. Not here: whether a reading leaves at all
(privacy.py). Two settings for a point, in its unit, as decimals:

* resolution: the value is rounded to a multiple of it. Gauges to the nearest, halves away from
  0; counters down, so that a total never shows more than was counted. Both keep the order of any
  two values: a counter never steps back by it. Zeros at the end of every value go into the
  exponent: 12340 in steps of 10 is 1234, the exponent one higher.
* deadband: while the value is at most so far from the one reported last, that one is reported
  again, for at most silence_s. It costs next to nothing in a block, so that every reading keeps
  its row: a meter that stands still, one that is dead and a gap stay three different things.

    thin = Thin(points, rows)                   # ValueError with a text for a person
    values[i] = thin.coarse(i, values[i])
    thin.hold(values, quality, tick)
    thin.exponent(i)
"""

from drivers.reading import COUNTER, GOOD, STATE, VALUE_MAX, VALUE_MIN, decimal_text
from drivers.ticks import ticks_diff

_DIGITS_MAX = 18
_EXPONENT_MAX = 18


class Thin:
    """The settings of one meter, and what it reported last.

    points  the meter's journaled points (drivers/reading.Point), in the order of its values
    rows    its `thin` of the configuration, each checked by row_problem()
    """

    def __init__(self, points, rows):
        settings, problems = lay_out(points, rows)
        if problems:
            raise ValueError("thin%s: %s" % problems[0])
        self._points = points
        self._settings = settings  # for each point None, or (step, unit, power, band, silence_ms)
        self._last: list = [None] * len(points)
        self._since = [0] * len(points)

    def exponent(self, i):
        """Return the exponent of the values that coarse() gives for a point."""
        point = self._points[i]
        setting = self._settings[i]
        return point.exponent + (setting[2] if setting else 0)

    def told(self, i):
        """Return what the schema says of a point, in units of its last digit; None: nothing."""
        setting = self._settings[i]
        if not setting:
            return None
        step, unit, _, band, silence_ms = setting
        tree = {"resolution": step // unit}
        if band >= 0:
            tree["deadband"] = band
            tree["silence_s"] = silence_ms // 1000
        return tree

    def coarse(self, i, value):
        """Return a value at the point's resolution; None stays None."""
        setting = self._settings[i]
        if value is None or not setting:
            return value
        step = setting[0]
        if step == 1:
            return value
        is_counter = self._points[i].kind == COUNTER
        near = 0 if is_counter else step // 2
        if value >= 0 or is_counter:
            found = (value + near) // step * step
        else:
            found = -((near - value) // step * step)
        if found > VALUE_MAX:
            found -= step
        elif found < VALUE_MIN:
            found += step
        return found // setting[1]

    def hold(self, values, quality, tick):
        """Put the last reported value in the place of each that is within its deadband.

        values: list, changed; quality: a code for each; tick: drivers/ticks.py, of this reading.
        """
        for i in range(len(values)):
            setting = self._settings[i]
            if not setting or setting[3] < 0:
                continue
            value = values[i]
            last = self._last[i]
            if quality[i] != GOOD or value is None:
                self._last[i] = None  # what comes after a gap is reported as it is
            elif (
                last is not None
                and -setting[3] <= value - last <= setting[3]
                and ticks_diff(tick, self._since[i]) < setting[4]
            ):
                values[i] = last
            else:
                self._last[i] = value
                self._since[i] = tick


def row_problem(row, interval_s):
    """Return (key, what is wrong) of one row of `thin` by itself, None when nothing is."""
    for key in ("resolution", "deadband"):
        if not row[key]:
            continue
        parsed = _parse(row[key])
        if parsed is None:
            return key, "%r is no decimal number from 0, as 0.5" % row[key]
        if key == "resolution" and not parsed[0]:
            return key, "%r is no step; leave it out to keep values as read" % row[key]
    if not row["resolution"] and not row["deadband"]:
        return "resolution", "is required, or a deadband: this row changes nothing"
    if row["deadband"] and row["silence_s"] <= interval_s:
        return "silence_s", "is not above interval_s, %d, so nothing would be held" % interval_s
    return None


def lay_out(points, rows):
    """Return (settings of each point, problems); a problem: (path below thin, what is wrong)."""
    names = [point.name for point in points]
    settings: list = [None] * len(points)
    problems: list = []
    rest = None  # the row that names no point: all that no other row names
    for place, row in enumerate(rows):
        if not row["points"]:
            if rest is not None:
                problems.append(("[%d].points" % place, "names no point, as row %d does" % rest))
            rest = place
        for at, name in enumerate(row["points"]):
            where = "[%d].points[%d]" % (place, at)
            if name not in names:
                problems.append((where, "this meter keeps no point %s" % name))
            elif settings[names.index(name)]:
                problems.append((where, "names %s a second time" % name))
            else:
                i = names.index(name)
                settings[i] = _setting(points[i], row, place, problems)
    if rest is not None:
        for i, point in enumerate(points):
            if not settings[i]:
                settings[i] = _setting(point, rows[rest], rest, problems)
    return settings, problems


def _setting(point, row, place, problems):
    """Return (step, unit, power, band, silence_ms) of a point; unit is 10 ** power."""
    step = 1
    if row["resolution"]:
        where = "[%d].resolution" % place
        if point.kind == STATE:
            problems.append((where, "does not go with %s, a state and no number" % point.name))
        digits, places = _parse(row["resolution"])
        shift = -places - point.exponent
        step = digits * 10**shift if shift >= 0 else digits // 10**-shift
        if shift < 0 and digits % 10**-shift:
            step = 0
        if step < 1:
            own = decimal_text(1, point.exponent) + (" " + point.unit if point.unit else "")
            problems.append(
                (where, "is no multiple of %s, in which %s is read" % (own, point.name))
            )
            step = 1
    power = 0
    while step % 10 ** (power + 1) == 0 and point.exponent + power < _EXPONENT_MAX:
        power += 1
    band = -1
    if row["deadband"]:
        digits, places = _parse(row["deadband"])
        if point.kind == STATE and digits:
            where = "[%d].deadband" % place
            problems.append((where, "must be 0 for %s, a state" % point.name))
        shift = -places - point.exponent - power
        band = digits * 10**shift if shift >= 0 else digits // 10**-shift
    return step, 10**power, power, band, row["silence_s"] * 1000


def _parse(text):
    """Return (digits, places) of a decimal "0.50" -> (50, 2); None when it is none."""
    whole, point, part = text.partition(".")
    digits = whole + part
    is_good = len(digits) <= _DIGITS_MAX and whole and (part or not point)
    if not is_good or [c for c in digits if c not in "0123456789"]:
        return None
    return int(digits), len(part)
