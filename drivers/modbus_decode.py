"""The answers of one turn become one reading: types, sentinels and scale factors applied.

Not here: arithmetic (modbus_values.py), which blocks were read (modbus_plan.py).

    decoder = Decoder(plan)
    decoder.begin()
    decoder.take(frame.buffer, frame.body, step)     # for each step of the turn
    decoder.finish(now_ms)                           # decoder.reading is whole
"""

from drivers.modbus_plan import ABSENT, CODE, EXPONENT, SCALE
from drivers.modbus_values import B, N, T, integer, is_absent, power_of_ten, scaled, text
from drivers.reading import GOOD, MISSING, UNAVAILABLE, Reading


class Decoder:
    """The reading of one meter, and the scale factors that came with it."""

    def __init__(self, plan):
        self.plan = plan
        self.reading = Reading(plan.points)
        self._scales = [None] * len(plan.scales)

    def begin(self):
        """Forget the last turn."""
        self.reading.clear(MISSING)
        for k in range(len(self._scales)):
            self._scales[k] = None

    def take(self, data, body, step):
        """Decode the items of a step from its data bytes at data[body]."""
        plan = self.plan
        for i in range(step[3], step[4]):
            function, address, _, index = plan.items[i]
            offset = address - step[1]
            at = body + plan.register_bytes * offset
            if function <= 2:
                self.reading.set(index, (data[body + offset // 8] >> (offset % 8)) & 1)
            elif index < 0:
                self._scales[-1 - index] = integer(data, at, 2, plan.order)
            else:
                self._take_point(data, at, index)

    def _take_point(self, data, at, index):
        row = self.plan.rows[index]
        kind, size, argument = self.plan.types[index]
        if kind == T:
            found = text(data, at, size, self.plan.order)
            self.reading.set(index, found or None, GOOD if found else UNAVAILABLE)
            return
        raw = integer(data, at, size, self.plan.order)
        if kind == N:
            self.reading.set(index, (raw >> argument) & 1)
        elif raw in row[ABSENT] if len(row) > ABSENT else is_absent(kind, size, raw):
            self.reading.set(index, None, UNAVAILABLE)
        elif kind == B:
            self.reading.set(index, raw)
        elif self.scale_of(index) >= 0:
            self.reading.set(index, scaled(kind, size, raw, 0))  # its factor may come later
        else:
            scale = row[SCALE] if len(row) > SCALE else 0
            self.reading.set(index, scaled(kind, size, raw, scale - row[EXPONENT]))

    def scale_of(self, index):
        """Return which scale factor register serves a point, -1 when none does."""
        row = self.plan.rows[index]
        if len(row) > SCALE and isinstance(row[SCALE], tuple):
            for k in range(len(self.plan.scales)):
                if self.plan.scales[k] == (row[CODE], row[SCALE][0]):
                    return k
        return -1

    def finish(self, now_ms):
        """Apply the scale factors that are registers (SunSpec sunssf, -10 .. 10)."""
        reading = self.reading
        reading.at_ms = now_ms
        for index in range(len(self.plan.rows) if self._scales else 0):
            k = self.scale_of(index)
            if k < 0 or reading.values[index] is None:
                continue
            factor = self._scales[k]
            if factor is None:
                reading.set(index, None, MISSING)
                continue
            if factor & 0x8000:
                factor -= 0x10000
            if not -10 <= factor <= 10:
                reading.set(index, None, UNAVAILABLE)
                continue
            shift = factor - self.plan.rows[index][EXPONENT]
            reading.set(index, power_of_ten(reading.values[index], shift))
