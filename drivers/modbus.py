"""Modbus master: asks one meter for its points, by RTU, RTU over TCP, or TCP.

Not here: bytes (modbus_frame.py), the plan (modbus_plan.py), values (modbus_values.py), the
retries and time-outs (agent/bus.py). Sources: Modbus Application Protocol V1.1b3, Modbus over
Serial Line V1.02, Modbus Messaging on TCP/IP V1.0b.

    meter = Modbus(load_map("sdm630"), {"unit": 1, "points": ["power", "energy_import"]})
    count = meter.request(out)           # 01 04 00 34 00 16 ..., then feed() what comes

The plan adapts to the meter. A block answered with exception 2, 3 or 7 is split at once and the
halves are remembered; a point refused alone is REFUSED until restart. Exception 1 refuses every
point of that function. 4, 5, 6, 8 and unknown codes mean later; 10 and 11 are a gateway's word
that the meter does not answer. A block met with silence is split for the next turn, when the
meter is known to be alive and the block has never been answered.

Options: unit (1..247; 0..255 with tcp), transport ("rtu", "tcp", "rtu_tcp"), line (baud, bits,
parity, stop: what the port runs at), echo (true: the adapter gives each request back),
points (names; empty: all), and what overrides the map: word_order, max_registers, gap_registers,
wait_ms, reply_ms.
"""

from micropython import const

from drivers.errors import Refused
from drivers.modbus_decode import Decoder
from drivers.modbus_frame import ANSWER, EXCEPTION, framing
from drivers.modbus_plan import shared_plan
from drivers.reading import BAD_FRAME, MISSING, NO_REPLY, REFUSED

_IDLE = const(0)
_ASKING = const(1)
_OVER = const(2)  # the reading is out; request() has still to say so

_UNKNOWN = const(0)  # what is known of a step: nothing
_GOOD = const(1)  # it has been answered; above: one more than the turns it was met with silence
_MUTE = const(4)

_REPLY_MS = const(500)
_BROADCAST_MS = const(100)  # Modbus over Serial Line V1.02, 2.4.1: turnaround delay
EXCEPTIONS = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledge",
    6: "device busy",
    7: "negative acknowledge",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target failed to respond",
}
# Plans are big, and a street of one model needs one: (key, Plan, MAP) of every plan made so far.
_PLANS: list = []


def forget():
    """Let the maps go, and share no plan made of them any more."""
    _PLANS.clear()


class Modbus:
    """One meter; the driver contract of drivers/__init__.py.

    unit      its address
    refused   bytearray, 1 for each point the meter refuses
    strays    bytes that came while nothing was asked
    written   of the last write(): None while under way, 0 done, else the exception code
    """

    def __init__(self, table, options):
        self.line = None
        self.waiting = False
        self.strays = 0
        self.written = None
        self._command = None
        self._is_command = False
        baud = _baud(table or {}, options)
        self.gap_us = 1750 if baud > 19200 else 38_500_000 // baud  # 3.5 characters of 11 bits
        self._desk = self._chain = None
        if table is None:
            from drivers.modbus_desk import Desk  # here, as below: most gateways need neither

            self._desk = Desk()
            self.points = ()
            self.wait_ms = self.reply_ms = 0
            return
        transport = options.get("transport", "rtu")
        if transport not in ("rtu", "tcp", "rtu_tcp"):
            raise ValueError("transport %s is none of rtu, tcp, rtu_tcp" % transport)
        self.unit = options.get("unit", table.get("unit", 1))
        least, most = (0, 255) if transport == "tcp" else (1, 247)
        if not isinstance(self.unit, int) or not least <= self.unit <= most:
            raise ValueError("unit %s is not within %d..%d" % (self.unit, least, most))
        self.plan = shared_plan(table, options, _PLANS)
        self.points = self.plan.points
        if transport == "tcp":
            self.gap_us = 0
        self._frame = framing(transport, self.unit, max(4, self.plan.biggest))
        self._frame.echoes = options.get("echo", False)
        self._pause_ms = self.wait_ms = options.get("wait_ms", table.get("wait_ms", 0))
        # The answer's own length counts, for slow lines: 11 bits a character.
        answer_ms = (self.plan.biggest + 5) * 11_000 // baud + 1
        self.reply_ms = options.get("reply_ms", table.get("reply_ms", _REPLY_MS)) + answer_ms
        self._decoder = Decoder(self.plan)
        self.reading = self._decoder.reading
        self.refused = bytearray(len(self.points))
        self._steps = self.plan.steps
        self._known = bytearray(len(self._steps))
        if "models" in table:
            from drivers.modbus_sunspec import BASES, Chain

            self._chain = Chain(table["models"], table.get("bases", BASES))
        self._alive = False  # the meter has answered something since the start
        self._probe = False  # ask one item only: is the block too big, or is the meter dead?
        self.reset()

    # --- the contract

    def reset(self):
        """Forget a half frame and an unfinished turn; what was learnt of the meter stays."""
        self.waiting = False
        self._now_ms = 0
        self._state = _IDLE
        self._retried = self._busy = False
        if not self._desk:
            self._frame.clear()

    def request(self, out):
        """Write the next request of the turn, or the last one again while it is unanswered."""
        if self._desk:
            return 0
        if self.waiting:
            self._retried = True
        elif self._command is None:
            if self._state == _OVER:
                self._state = _IDLE
                return 0
            if self._state == _IDLE:
                self._begin()
            self._retried = False
        self._busy = False
        self.wait_ms = self._pause_ms
        self._is_command = False
        if self._command:
            return self._write_request(out, self._command)
        self.waiting = True
        if self._chain and not self._chain.found:
            return self._frame.ask(out, 3, self._chain.address, 2)
        function, address, count, _, _ = self._asked()
        if self._chain:
            address += self._chain.address
        size = self._frame.ask(out, function, address, count)
        if self.plan.register_bytes != 2 and function > 2:
            self._frame.expect_read(count * self.plan.register_bytes)
        return size

    def sent(self, now_ms):
        """Note when the request left; a broadcast is done with that."""
        self._now_ms = now_ms
        command = self._command
        if command and command[3] and self._is_command:
            self.written = 0
            self._command = None
            self._is_command = False

    def feed(self, data, start, end, now_ms, emit):
        """Take bytes; emit the reading with the turn's last answer."""
        if self._desk:
            return self._desk.feed(data, start, end, now_ms, emit)
        if not self.waiting:
            self.strays += end - start
            return end
        frame = self._frame
        if start == end:
            frame.silence()
        else:
            start = frame.take(data, start, end)
        if frame.what == ANSWER:
            self._now_ms = now_ms
            self._answered(emit)
            self.strays += end - start
        elif frame.what == EXCEPTION:
            self._now_ms = now_ms
            self._excepted(frame.code, start, emit)
        return end

    def give_up(self, emit, quality):
        """Emit what the turn got; learn from silence for the next turn."""
        if self._desk:
            return
        if self._state != _ASKING:
            self._begin()
        if self._frame.is_partial() and quality == NO_REPLY:
            quality = BAD_FRAME
        if self.waiting and self._command:
            self._command = None
        elif self.waiting and quality == NO_REPLY and not self._busy:
            self._learn_from_silence()
        for i in range(len(self.points)):
            if self.reading.values[i] is None and self.reading.quality[i] == MISSING:
                self.reading.quality[i] = quality
        self._decoder.finish(self._now_ms)
        emit(self.reading)
        self.waiting = False
        self._state = _IDLE
        self._frame.clear()

    # --- what a technician may ask for; polling never does

    def write(self, function, address, values, everyone=False):
        """Send FC 5, 6, 15 or 16 before the next read; `written` tells how it went.

        values as in modbus_frame.write_pdu(). everyone: a broadcast, which nobody answers.
        """
        if function not in (5, 6, 15, 16):
            raise ValueError("function %d does not write" % function)
        self.written = None
        self._command = (function, address, values, everyone)

    def _write_request(self, out, command):
        function, address, values, everyone = command
        self._frame.unit = 0 if everyone else self.unit
        size = self._frame.write(out, function, address, values)
        self._frame.unit = self.unit
        self.waiting = not everyone
        if everyone:
            self.wait_ms = max(self._pause_ms, _BROADCAST_MS)
        self._is_command = True  # what request() gave last, for sent()
        return size

    # --- the turn

    def _begin(self):
        self._state = _ASKING
        self._step = 0
        if self._chain and self._chain.failed:
            self._chain.start()
        self._decoder.begin()
        for i in range(len(self.refused)):
            if self.refused[i]:
                self.reading.quality[i] = REFUSED

    def _asked(self):
        """Return the step under way; while probing, one that asks for the first item alone."""
        if self._probe and not self._alive:
            first = self._steps[0][3]
            return self.plan.arrange(first, first + 1)[0]
        return self._steps[self._step]

    def _answered(self, emit):
        self.waiting = False
        if self._retried:  # the first answer may still come, and must not meet the next request
            self.wait_ms = max(self._pause_ms, self.reply_ms)
        if self._command:
            self.written = 0
            self._command = None
            return
        buffer, at = self._frame.buffer, self._frame.body
        if self._chain and not self._chain.found:
            self._alive = True
            self._chain.take(
                (buffer[at] << 8) | buffer[at + 1], (buffer[at + 2] << 8) | buffer[at + 3]
            )
            self._chain_ended(self._chain, emit)
            return
        if self._probe and not self._alive:
            self._alive = True  # back from the dead, or the block was too big: it is asked again
            self._probe = False
            return
        self._alive = True
        self._known[self._step] = _GOOD
        self._decoder.take(buffer, at, self._steps[self._step])
        self._step += 1
        if self._step == len(self._steps):
            self._over(emit)

    def _over(self, emit):
        self._state = _OVER
        self._decoder.finish(self._now_ms)
        emit(self.reading)

    def _chain_ended(self, chain, emit):
        if chain.failed:
            self.reading.clear(REFUSED)
            self._over(emit)

    def _excepted(self, code, resume, emit):
        """Adapt to an exception and raise Refused."""
        self.waiting = False
        text_ = "exception %d, %s" % (code, EXCEPTIONS.get(code, "unknown"))
        if self._command:
            self.written = code
            self._command = None
            raise Refused(text_, code, resume)
        if code not in (1, 2, 3, 7):
            self.waiting = True  # the same request once more
            self._busy = code in (5, 6, 10, 11)
            self._alive = self._alive or code not in (10, 11)
            raise Refused(text_, code, resume, True)
        if self._chain and not self._chain.found:
            self._chain.refuse()
            self._chain_ended(self._chain, emit)
            raise Refused("%s, no SunSpec marker" % text_, code, resume)
        step = self._asked()
        self._alive = True
        if not self._probe or step == self._steps[self._step]:
            self._drop_or_split(code)
        self._probe = False
        if self._step == len(self._steps):
            self._over(emit)
        where = "fc%d:0x%04x, %d registers" % (step[0], step[1], step[2])
        raise Refused("%s: %s" % (text_, where), code, resume)

    def _drop_or_split(self, code):
        step = self._steps[self._step]
        parts = () if code == 1 else self.plan.split(step)
        if parts:
            self._replace(self._step, parts)
            return
        function = step[0]
        self._refuse(step)
        for later in self._steps[self._step + 1 :] if code == 1 else ():
            if later[0] == function:
                self._refuse(later)
        if code == 1:
            at = self._step + 1
            while at < len(self._steps):
                if self._steps[at][0] == function:
                    self._replace(at, ())
                else:
                    at += 1
        if len(self._steps) > 1:
            self._replace(self._step, ())
        else:
            self._step += 1  # all is refused: one step stays, so that each turn still says so

    def _refuse(self, step):
        """Mark the points of a step, or those that its scale factor serves, refused."""
        for i in range(step[3], step[4]):
            index = self.plan.items[i][3]
            if index >= 0:
                self._mark(index)
                continue
            for row in range(len(self.points)):
                if self._decoder.scale_of(row) == -1 - index:
                    self._mark(row)

    def _mark(self, index):
        self.refused[index] = 1
        self.reading.set(index, None, REFUSED)

    def _replace(self, at, steps):
        """Put steps in the place of one; what is known of the others stays."""
        self._steps = self._steps[:at] + steps + self._steps[at + 1 :]
        self._known = self._known[:at] + bytearray(len(steps)) + self._known[at + 1 :]

    def _learn_from_silence(self):
        if self._chain and not self._chain.found:
            self._chain.refuse()
            return
        if not self._alive:
            self._probe = not self._probe and self._steps[0][4] - self._steps[0][3] > 1
            return
        self._probe = False
        at = self._step
        if self._known[at] == _GOOD:
            return
        parts = self.plan.split(self._steps[at])
        if parts:  # at the end of the plan, where they delay nobody
            self._steps += parts
            self._known += bytearray(len(parts))
            self._replace(at, ())
            return
        self._known[at] = max(2, self._known[at] + 1)
        if self._known[at] >= _MUTE and len(self._steps) > 1:
            self._refuse(self._steps[at])
            self._replace(at, ())


def _baud(table, options):
    """Return the baud rate the port runs at, as far as is known."""
    line = options.get("line") or table.get("line") or (9600, 8, "N", 1)
    return line[0]
