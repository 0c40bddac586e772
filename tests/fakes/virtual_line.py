"""A line between meters and a whole App, in virtual time: portable, by seed, with a ledger.

    line = Line(random, [CountingMeter(unit=1)], ledger)
    line.connect(bus, wall_ms, now_ms)   # a life of the gateway begins
    line.step(bus, wall_ms, now_ms)      # whenever due_ms is reached, or the bus was asked

Bytes arrive as a UART's driver gives them: whole answers, or cut in two where the seed says so.
`line.faults` is a permille of answers that are damaged, cut short, late or missing; all but the
late are not in the ledger. Not here: ptys and real time (host_tools/sim).
"""

_BYTE_MS = 11 / 9.6  # ten bits and a start bit at 9600 baud, as long as a slow line needs
_NEVER_MS = 1 << 62


class Line:
    """One port; meters is a list of CountingMeters, or one SpeakingSensor.

    ledger  list that takes (index of the meter, its number, ms) of each intact answer; the ms are
            the gateway's: true ones and `off_ms`, what its clock is wrong by
    offs    {(meter, number): off_ms} of answers under a wrong clock
    at      index of the first meter in the configuration
    is_cut  nothing that a meter says arrives
    due_ms  true time at which step() has something to do
    """

    def __init__(self, random, meters, ledger, at=0):
        self.meters = meters
        self.faults = 0
        self.off_ms = 0
        self.offs = {}
        self.is_cut = False
        self.due_ms = 0
        self._random = random
        self._ledger = ledger
        self._at = at
        self._arriving = []  # (ms, bytes, entry of the ledger or None)
        self._speaks_ms = _NEVER_MS
        self._sending_ms = _NEVER_MS  # until when
        self._is_busy = False

    def connect(self, bus, wall_ms, now_ms):
        """Open the port: what was on the line is gone."""
        self._arriving = []
        self._sending_ms = _NEVER_MS
        self._speaks_ms = wall_ms if hasattr(self.meters[0], "frame") else _NEVER_MS
        self.due_ms = wall_ms
        bus.opened(now_ms)

    def disconnect(self):
        """The gateway sleeps: what is said now, nobody hears."""
        self._arriving = []
        self._sending_ms = self._speaks_ms = self.due_ms = _NEVER_MS

    def step(self, bus, wall_ms, now_ms):
        """Move what is due; return whether a turn has ended by it."""
        while True:
            if self._speaks_ms <= wall_ms:
                self._speak(wall_ms)
            if self._arriving and self._arriving[0][0] <= wall_ms:
                self._hand(bus, wall_ms, now_ms)
                self._is_busy = True
                continue
            wait_us = bus.step(now_ms, now_ms * 1000)
            if not bus.send_count:
                break
            if self._sending_ms == _NEVER_MS:
                self._sending_ms = wall_ms + int(bus.send_count * _BYTE_MS) + 1
            if wall_ms < self._sending_ms:
                break
            self._sending_ms = _NEVER_MS
            request = bytes(bus.tx[: bus.send_count])
            bus.sent(now_ms, now_ms * 1000)
            self._reply(request, wall_ms)
        due_ms = min(self._speaks_ms, self._sending_ms)
        if self._arriving:
            due_ms = min(due_ms, self._arriving[0][0])
        was_busy = self._is_busy
        self._is_busy = not bus.is_quiet()
        if self._is_busy and self._sending_ms == _NEVER_MS:
            due_ms = min(due_ms, wall_ms + max(1, (wait_us + 999) // 1000))
        self.due_ms = due_ms
        return was_busy and not self._is_busy and self._speaks_ms == _NEVER_MS

    def _hand(self, bus, wall_ms, now_ms):
        _, data, entry = self._arriving.pop(0)
        bus.rx[0 : len(data)] = data
        if entry:
            self._ledger.append((entry[0], entry[1], wall_ms + self.off_ms))
            if self.off_ms:
                self.offs[entry] = self.off_ms
            if self._speaks_ms != _NEVER_MS:
                self.meters[0].heard[entry[1]] = wall_ms
        bus.received(len(data), now_ms, now_ms * 1000)

    def _speak(self, wall_ms):
        sensor = self.meters[0]
        self._speaks_ms += sensor.every_ms
        if not sensor.dead and not self.is_cut:
            frame = sensor.frame()  # its last byte comes now
            begun_ms = -int(len(frame) * _BYTE_MS) - 1
            self._send(frame, (self._at, sensor.number), wall_ms, begun_ms)

    def _reply(self, request, wall_ms):
        for i, meter in enumerate(self.meters):
            data = b"" if self.is_cut else meter.answer(request, wall_ms)
            if data:
                self._send(data, (self._at + i, meter.number), wall_ms, 5 + self._random(30))

    def _send(self, data, entry, wall_ms, pause_ms):
        if self.faults and self._random(1000) < self.faults:
            kind = self._random(4)
            if kind != 2:
                entry = None
            if kind == 0:
                data = bytearray(data)
                data[self._random(len(data))] ^= 1 << self._random(8)
            elif kind == 1:
                data = data[: self._random(len(data))]
            elif kind == 2:
                pause_ms += 300 + self._random(3000)
            else:
                return
        begin_ms = wall_ms + pause_ms
        cut = self._random(4 * len(data) + 1)  # three of four arrive in one piece
        if 0 < cut < len(data):
            self._arrive((begin_ms + int(cut * _BYTE_MS), bytes(data[:cut]), None))
            data = data[cut:]
            begin_ms += int(cut * _BYTE_MS)
        if data or entry:
            self._arrive((begin_ms + int(len(data) * _BYTE_MS) + 1, bytes(data), entry))

    def _arrive(self, item):
        at = len(self._arriving)
        while at and self._arriving[at - 1][0] > item[0]:
            at -= 1
        self._arriving.insert(at, item)
