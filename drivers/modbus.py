"""Modbus master: asks one meter for its points, by RTU, RTU over TCP, or TCP.

Not here: bytes (modbus_frame.py), the plan (modbus_plan.py), what meters share (modbus_model.py),
values (modbus_values.py), the retries and time-outs (agent/bus.py). Sources: Modbus Application
Protocol V1.1b3, Modbus over Serial Line V1.02, Modbus Messaging on TCP/IP V1.0b.

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
from drivers.modbus_frame import ANSWER, EXCEPTION
from drivers.modbus_model import baud_of, forget, gap_us, shared_model
from drivers.reading import BAD_FRAME, MISSING, NO_REPLY, REFUSED

_UNSEEN = const(0)  # the meter has answered nothing since the start
_PROBED = const(1)  # one item only is asked: is the block too big, or is the meter dead?
_ALIVE = const(2)

_UNKNOWN = const(0)  # what is known of a step: nothing
_GOOD = const(1)  # it has been answered; above: one more than the turns it was met with silence
_MUTE = const(4)

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
__all__ = ("EXCEPTIONS", "Modbus", "forget")  # drivers.forget_maps() calls it


class Modbus:
    """One meter; the driver contract of drivers/__init__.py.

    A street may have 247 of them: an attribute that few need is the class's until it is set.

    unit      its address
    model     what it shares with all of its kind (modbus_model.py)
    refused   bytearray, 1 for each point that the meter refuses; None: none is
    echoes    the adapter gives each request back
    strays    bytes that came while nothing was asked
    written   of the last write(): None while under way, 0 done, else the exception code
    """

    line = written = refused = None
    strays = 0
    echoes = False
    _desk = _chain = _command = None

    def __init__(self, table, options):
        self.waiting = False
        self._turn = None
        if table is None:
            from drivers.modbus_desk import Desk  # here, as below: most gateways need neither

            self._desk = Desk()
            self.gap_us = gap_us(baud_of({}, options))
            self.points = ()
            self.wait_ms = self.reply_ms = 0
            return
        self.model = model = shared_model(table, options)
        self.unit = options.get("unit", table.get("unit", 1))
        least, most = (0, 255) if model.transport == "tcp" else (1, 247)
        if not isinstance(self.unit, int) or not least <= self.unit <= most:
            raise ValueError("unit %s is not within %d..%d" % (self.unit, least, most))
        self.points = model.points
        self.gap_us = model.gap_us
        self.wait_ms = model.pause_ms
        self.reply_ms = model.reply_ms
        self._steps = model.plan.steps
        self._known = bytearray(len(self._steps))
        self._life = _UNSEEN
        if options.get("echo"):
            self.echoes = True
        if model.models:
            from drivers.modbus_sunspec import BASES, Chain

            self._chain = Chain(model.models, model.bases or BASES)

    @property
    def plan(self):
        """How the meter is read while it has refused nothing."""
        return self.model.plan

    # --- the contract

    def reset(self):
        """Forget a half frame and an unfinished turn; what was learnt of the meter stays."""
        self.waiting = False
        if self._turn:
            self._end()

    def request(self, out):
        """Write the next request of the turn, or the last one again while it is unanswered."""
        if self._desk:
            return 0
        turn = self._turn or self._begin()
        if self.waiting:
            turn.is_retry = True
        elif self._command is None:
            if turn.is_over:
                self._end()
                return 0
            turn.is_retry = False
        turn.is_busy = turn.is_command = False
        self.wait_ms = self.model.pause_ms
        if self._command:
            return self._write_request(out, self._command)
        self.waiting = True
        if self._chain and not self._chain.found:
            return turn.frame.ask(out, 3, self._chain.address, 2)
        function, address, count, _, _ = self._asked(turn)
        if self._chain:
            address += self._chain.address
        size = turn.frame.ask(out, function, address, count)
        if self.model.plan.register_bytes != 2 and function > 2:
            turn.frame.expect_read(count * self.model.plan.register_bytes)
        return size

    def sent(self, now_ms):
        """Note when the request left; a broadcast is done with that."""
        turn = self._turn
        if not turn:
            return
        turn.now_ms = now_ms
        command = self._command
        if command and command[3] and turn.is_command:
            self.written = 0
            self._command = None
            turn.is_command = False

    def feed(self, data, start, end, now_ms, emit):
        """Take bytes; emit the reading with the turn's last answer."""
        if self._desk:
            return self._desk.feed(data, start, end, now_ms, emit)
        if not self.waiting:
            if end > start:
                self.strays += end - start
            return end
        turn = self._turn
        frame = turn.frame
        if start == end:
            frame.silence()
        else:
            start = frame.take(data, start, end)
        if frame.what == ANSWER:
            turn.now_ms = now_ms
            self._answered(turn, emit)
            if end > start:
                self.strays += end - start
        elif frame.what == EXCEPTION:
            turn.now_ms = now_ms
            self._excepted(turn, frame.code, start, emit)
        return end

    def give_up(self, emit, quality):
        """Emit what the turn got; learn from silence for the next turn."""
        if self._desk:
            return
        turn = self._turn
        if turn is None or turn.is_over:
            turn = self._begin()
        if turn.frame.is_partial() and quality == NO_REPLY:
            quality = BAD_FRAME
        if self.waiting and self._command:
            self._command = None
        elif self.waiting and quality == NO_REPLY and not turn.is_busy:
            self._learn_from_silence(turn)
        reading = turn.decoder.reading
        for i in range(len(self.points)):
            if reading.values[i] is None and reading.quality[i] == MISSING:
                reading.quality[i] = quality
        turn.decoder.finish(turn.now_ms)
        emit(reading)
        self.waiting = False
        self._end()

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
        turn = self._turn
        turn.frame.unit = 0 if everyone else self.unit
        size = turn.frame.write(out, function, address, values)
        turn.frame.unit = self.unit
        self.waiting = not everyone
        if everyone:
            self.wait_ms = max(self.model.pause_ms, _BROADCAST_MS)
        turn.is_command = True
        return size

    # --- the turn

    def _begin(self):
        turn = self._turn
        if turn is None:
            turn = self._turn = self.model.lend()
            turn.frame.unit = self.unit
            turn.frame.echoes = self.echoes
        turn.step = 0
        turn.is_over = False
        if self._chain and self._chain.failed:
            self._chain.start()
        turn.decoder.begin()
        if self.refused:
            for i in range(len(self.refused)):
                if self.refused[i]:
                    turn.decoder.reading.quality[i] = REFUSED
        return turn

    def _end(self):
        """Give back what the turn was lent."""
        turn = self._turn
        self._turn = None
        if turn.frame.echoes and not self.echoes:
            self.echoes = True
        self.model.take_back(turn)

    def _asked(self, turn):
        """Return the step under way; while probing, one that asks for the first item alone."""
        if self._life == _PROBED:
            first = self._steps[0][3]
            return self.model.plan.arrange(first, first + 1)[0]
        return self._steps[turn.step]

    def _answered(self, turn, emit):
        self.waiting = False
        if turn.is_retry:  # the first answer may still come, and must not meet the next request
            self.wait_ms = max(self.model.pause_ms, self.reply_ms)
        if self._command:
            self.written = 0
            self._command = None
            return
        buffer, at = turn.frame.buffer, turn.frame.body
        if self._chain and not self._chain.found:
            self._life = _ALIVE
            self._chain.take(
                (buffer[at] << 8) | buffer[at + 1], (buffer[at + 2] << 8) | buffer[at + 3]
            )
            self._chain_ended(turn, emit)
            return
        if self._life == _PROBED:
            self._life = _ALIVE  # back, or the block was too big: it is asked again
            return
        self._life = _ALIVE
        self._known[turn.step] = _GOOD
        turn.decoder.take(buffer, at, self._steps[turn.step])
        turn.step += 1
        if turn.step == len(self._steps):
            self._over(turn, emit)

    def _over(self, turn, emit):
        turn.is_over = True
        turn.decoder.finish(turn.now_ms)
        emit(turn.decoder.reading)

    def _chain_ended(self, turn, emit):
        if self._chain.failed:
            turn.decoder.reading.clear(REFUSED)
            self._over(turn, emit)

    def _excepted(self, turn, code, resume, emit):
        """Adapt to an exception and raise Refused."""
        self.waiting = False
        text_ = "exception %d, %s" % (code, EXCEPTIONS.get(code, "unknown"))
        if self._command:
            self.written = code
            self._command = None
            raise Refused(text_, code, resume)
        if code not in (1, 2, 3, 7):
            self.waiting = True  # the same request once more
            turn.is_busy = code in (5, 6, 10, 11)
            if code not in (10, 11):
                self._life = _ALIVE
            raise Refused(text_, code, resume, True)
        if self._chain and not self._chain.found:
            self._chain.refuse()
            self._chain_ended(turn, emit)
            raise Refused("%s, no SunSpec marker" % text_, code, resume)
        step = self._asked(turn)
        was_probe = self._life == _PROBED
        self._life = _ALIVE
        if not was_probe or step == self._steps[turn.step]:
            self._drop_or_split(turn, code)
        if turn.step == len(self._steps):
            self._over(turn, emit)
        where = "fc%d:0x%04x, %d registers" % (step[0], step[1], step[2])
        raise Refused("%s: %s" % (text_, where), code, resume)

    def _drop_or_split(self, turn, code):
        step = self._steps[turn.step]
        parts = () if code == 1 else self.model.plan.split(step)
        if parts:
            self._replace(turn.step, parts)
            return
        function = step[0]
        self._refuse(turn, step)
        for later in self._steps[turn.step + 1 :] if code == 1 else ():
            if later[0] == function:
                self._refuse(turn, later)
        if code == 1:
            at = turn.step + 1
            while at < len(self._steps):
                if self._steps[at][0] == function:
                    self._replace(at, ())
                else:
                    at += 1
        if len(self._steps) > 1:
            self._replace(turn.step, ())
        else:
            turn.step += 1  # all is refused: one step stays, so that each turn still says so

    def _refuse(self, turn, step):
        """Mark the points of a step, or those that its scale factor serves, refused."""
        for i in range(step[3], step[4]):
            index = self.model.plan.items[i][3]
            if index >= 0:
                self._mark(turn, index)
                continue
            for row in range(len(self.points)):
                if turn.decoder.scale_of(row) == -1 - index:
                    self._mark(turn, row)

    def _mark(self, turn, index):
        if self.refused is None:
            self.refused = bytearray(len(self.points))
        self.refused[index] = 1
        turn.decoder.reading.set(index, None, REFUSED)

    def _replace(self, at, steps):
        """Put steps in the place of one; what is known of the others stays."""
        self._steps = self._steps[:at] + steps + self._steps[at + 1 :]
        self._known = self._known[:at] + bytearray(len(steps)) + self._known[at + 1 :]

    def _learn_from_silence(self, turn):
        if self._chain and not self._chain.found:
            self._chain.refuse()
            return
        if self._life != _ALIVE:
            is_whole = self._life == _UNSEEN and self._steps[0][4] - self._steps[0][3] > 1
            self._life = _PROBED if is_whole else _UNSEEN
            return
        at = turn.step
        if self._known[at] == _GOOD:
            return
        parts = self.model.plan.split(self._steps[at])
        if parts:  # at the end of the plan, where they delay nobody
            self._steps += parts
            self._known += bytearray(len(parts))
            self._replace(at, ())
            return
        self._known[at] = max(2, self._known[at] + 1)
        if self._known[at] >= _MUTE and len(self._steps) > 1:
            self._refuse(turn, self._steps[at])
            self._replace(at, ())
