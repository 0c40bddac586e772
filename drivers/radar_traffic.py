"""Vehicles of one period: counts by direction and class, mean and 85th percentile of the speed.

Not messages (drivers/radar.py). Everything is allocated at the start; add() allocates nothing.
"""

from micropython import const

from drivers.reading import UNAVAILABLE

SPEEDS = const(256)  # km/h, the fastest is one less


def meaning(code, classes):
    """Return (what, direction or -1, class or -1) of a point's code; ValueError when none."""
    what, direction, kind = code.split(".")[0], -1, -1
    for part in code.split(".")[1:]:
        if part in ("in", "out") and direction < 0:
            direction = 1 if part == "out" else 0
        elif part.isdigit() and kind < 0 and int(part) <= classes and what == "count":
            kind = int(part)
        else:
            raise ValueError("points: %s is no code of a radar" % code)
    if what not in ("count", "mean", "p85"):
        raise ValueError("points: %s is no code of a radar" % code)
    return what, direction, kind


class Traffic:
    """Counts the vehicles of a period."""

    def __init__(self, points, classes_dm):
        """points: of the meter; classes_dm: ascending lengths at which a class ends."""
        self._classes = tuple(classes_dm)
        for i in range(1, len(self._classes)):
            if self._classes[i] <= self._classes[i - 1]:
                raise ValueError("classes_dm: its lengths do not ascend")
        self._points = points
        self._meanings = tuple([meaning(point.code, len(self._classes)) for point in points])
        for i, point in enumerate(points):
            if point.exponent not in ((0, -1) if self._meanings[i][0] == "mean" else (0,)):
                raise ValueError("points: %s: its exponent is none that can be given" % point.name)
        self._counts = [0] * (2 * len(self._classes) + 2)  # of each direction, of each class
        self._speeds = [0] * (2 * SPEEDS)  # how many had this speed, of each direction

    def clear(self):
        """Begin a period."""
        for i in range(len(self._counts)):
            self._counts[i] = 0
        for i in range(len(self._speeds)):
            self._speeds[i] = 0

    def add(self, speed, length_dm, direction):
        """Count a vehicle: km/h, 0 .. 255; direction 1 is outgoing."""
        kind = 0
        while kind < len(self._classes) and length_dm >= self._classes[kind]:
            kind += 1
        self._counts[direction * (len(self._classes) + 1) + kind] += 1
        self._speeds[direction * SPEEDS + speed] += 1

    def fill(self, reading):
        """Put what was counted into the reading."""
        for i in range(len(self._meanings)):
            what, direction, kind = self._meanings[i]
            if what == "count":
                reading.set(i, self._count(direction, kind))
                continue
            total = self._count(direction, -1)
            if not total:
                reading.set(i, None, UNAVAILABLE)
            elif what == "mean":
                reading.set(i, self._mean(direction, total, -self._points[i].exponent))
            else:
                reading.set(i, self._percentile(direction, total))

    def _count(self, direction, kind):
        kinds = len(self._classes) + 1
        total = 0
        for i in range(len(self._counts)):
            if direction in (-1, i // kinds) and kind in (-1, i % kinds):
                total += self._counts[i]
        return total

    def _at(self, speed, direction):
        """Return how many had this speed."""
        count = self._speeds[speed] if direction != 1 else 0
        return count + (self._speeds[SPEEDS + speed] if direction != 0 else 0)

    def _mean(self, direction, total, decimals):
        """Return the mean speed with 0 or 1 decimals, halves up."""
        summed = 0
        for speed in range(SPEEDS):
            summed += speed * self._at(speed, direction)
        return (summed * 10**decimals * 2 + total) // (2 * total)

    def _percentile(self, direction, total):
        """Return the least speed that at least 85 of 100 did not exceed."""
        seen = 0
        for speed in range(SPEEDS):
            seen += self._at(speed, direction)
            if 100 * seen >= 85 * total:
                return speed
        return SPEEDS - 1
