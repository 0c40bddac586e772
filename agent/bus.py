"""One port and its meters: turns, time-outs, retries, resynchronisation, back-off.

It drives any driver of the contract (drivers/__init__.py) and touches no wire: the port's task in
firmware/loop.py moves the bytes and calls step, sent and received. Meters that answer take turns;
meters that push are heard whenever the line is not in a turn.

    wait_us = bus.step(now_ms, now_us)
    if bus.send_count: port.write(bus.tx, bus.send_count); bus.sent(now_ms, now_us)
    count = port.readinto(bus.rx)
    if count: bus.received(count, now_ms, now_us)

A turn is a chain of transactions (request, answer). A transaction that fails is repeated
`retries` times; then the driver gives up and the meter is asked again only after a back-off that
doubles from 5 s to 300 s, so that a dead meter costs the others one time-out per period. Nothing
is repeated once the turn's first answer is older than 1.5 s: a reading is of one instant.
"""

from micropython import const

from agent import meter as meters_
from agent.rhythm import Rhythm
from drivers.errors import BadFrame, Refused
from drivers.reading import BAD_FRAME, NO_REPLY
from drivers.ticks import ticks_add, ticks_diff

_IDLE = const(0)
_PAUSE = const(1)  # before a request: the gap, the meter's own pause, or draining
_SEND = const(2)  # the port is writing
_ANSWER = const(3)

_BACKOFF_MS = const(5_000)
_BACKOFF_CAP_MS = const(300_000)
_IDLE_US = const(20_000)
_QUIET_MS = const(100)  # after a time-out the line must have been silent this long
_TURN_MS = const(1_500)  # a turn's first answer may be so old when a later one is asked again
_EVER_MS = const(0x0FFFFFFF)
_HELD_US = const(1_000)


class Bus:
    """The state machine of one port.

    port        its member of the configuration's `ports`, validated
    meters      the Meters on it, in the order of the configuration
    rx_size     bytes taken from the port at once; tx_size: the longest request
    on_reading  called with (meter, reading) for each whole reading
    on_turn     called with (meter) when a meter changes between answering and not
    log         agent/log.Log
    """

    def __init__(self, port, meters, on_reading, on_turn, log, rx_size=256, tx_size=272):
        self.name = port["name"]
        self.meters = meters
        self.rx = bytearray(rx_size)
        self.tx = bytearray(tx_size)
        self.send_count = 0
        self.line = self._default = (port["baud"], port["bits"], port["parity"], port["stop"])
        self.is_uart = port.get("kind", "uart") == "uart"
        self.up = None  # not tried yet; then whether the port is there
        # For agent/quiet.py, which holds the line, and is called when it falls silent.
        self.is_held = False
        self.on_silence = None
        self.rhythm = Rhythm()  # of what pushes
        self._has_ended = False  # the bytes that are being fed ended a telegram
        self.noise = 0  # bytes that nobody had asked for
        self._on_reading = on_reading
        self._on_turn = on_turn
        self._log = log
        self._emit = self._emitted  # bound once: binding at each call would allocate
        self._queue = []
        self._meter = None  # whose turn it is
        self._hearing = None  # who is being fed
        self._state = _IDLE
        self._tries = 0
        self._until_ms = 0
        self._heard_us = 0  # last byte on the line, either way
        self._gap_told = True
        self._bad = False  # the last failure of this transaction was a bad frame
        self._is_first = True  # no answer of this turn has come
        self._first_ms = 0  # when the first did
        self._is_settling = False  # the driver wants another line, its settle_ms are not over
        self._settled_ms = 0
        for meter in meters:
            meter.listens = meter.driver.request(self.tx) == 0
            meter.driver.reset()
        self._listeners = tuple(m for m in meters if m.listens)

    # --- what the App calls

    def ask(self, meter, now_ms):
        """Put an asking meter's turn into the queue, unless it is there or backing off.

        Returns false when the meter is backing off: the driver has emitted its nulls.
        """
        if meter.failures and ticks_diff(now_ms, meter.retry_at_ms) < 0:
            self._hearing = meter
            meter.driver.give_up(self._emit, NO_REPLY)
            return False
        if meter is not self._meter and meter not in self._queue:
            self._queue.append(meter)
        return True

    def close_period(self, meter, now_ms):
        """Let a listener that counts give its reading; false when it is no such driver."""
        due = getattr(meter.driver, "due", None)
        if due is None:
            return False
        if not self.up:
            meter.driver.reset()  # what it counted is not all that passed
        self._hearing = meter
        due(now_ms, self._emit)
        return True

    def is_quiet(self):
        """Return true when no turn is under way and no listener is inside a frame."""
        return self._state == _IDLE and self._gap_told and not self._queue

    # --- what agent/quiet.py asks

    def silent_ms(self, now_ms):
        """Return for how long from now on the line will be silent, as far as can be known.

        Between two transactions: for ever, because nothing is asked while the flash works. A
        meter that pushes: as long as its pauses have been so far, or for ever when it has not
        been heard for longer than its longest pause.
        """
        if not self.up:
            return _EVER_MS
        if self._state in (_SEND, _ANSWER):
            return 0
        if not self._listeners:
            return _EVER_MS if self._gap_told else 0
        since_ms = ticks_diff(now_ms, self.rhythm.heard_ms)
        if since_ms > max([m.driver.reply_ms for m in self._listeners]):
            return _EVER_MS
        return self.rhythm.silent_ms(now_ms)

    def is_wanted(self):
        """Return true while the next telegram of a listener is a reading to be stored."""
        for meter in self._listeners:
            if meter.wanted:
                return True
        return False

    # --- what the port's task calls

    def opened(self, now_ms):
        """The port is there (again): begin with clean drivers."""
        self.rhythm.begin(now_ms)
        if self.up is False:
            self._log.info("bus", "%s: is there again", self.name)
        self.up = True
        self._state = _IDLE
        self._is_settling = False
        self.send_count = 0
        self._meter = None
        self._gap_told = True
        for meter in self.meters:
            meter.driver.reset()

    def failed(self, why, now_ms):
        """The port is gone (LinkDown): whoever waits gives up; ask() goes on answering nulls."""
        self.alive_ms = now_ms
        if self.up is not False:
            self._log.warn("bus", "%s: %s", self.name, why)
        self.up = False
        if self._meter:
            self._give_up(now_ms, NO_REPLY)
        while self._queue:
            self._meter = self._queue.pop(0)
            self._give_up(now_ms, NO_REPLY)
        self._state = _IDLE
        self.send_count = 0

    def step(self, now_ms, now_us):
        """Do what time asks for; return microseconds until the next call at the latest."""
        self.alive_ms = now_ms  # agent/watch.py
        self.rhythm.look(now_ms)
        self._tell_gap(now_ms, now_us)
        if not self.up:
            if self._queue:
                self.failed("down", now_ms)
            return _IDLE_US
        if self._state == _IDLE and self._queue:
            self._begin_turn(now_ms)
        if self._state == _PAUSE:
            return self._step_pause(now_ms, now_us)
        if self._state == _ANSWER:
            if self._is_settling:
                left = ticks_diff(self._settled_ms, now_ms)
                if left > 0:
                    return left * 1000
                self._look_at_line(self._meter)
            left = ticks_diff(self._until_ms, now_ms)
            if left > 0:
                left *= 1000
                return left if self._gap_told else min(left, self._gap_left_us(now_us))
            self._no_answer(now_ms)
            return 0
        if self._state == _SEND:
            return 1000
        return self._gap_left_us(now_us) or _IDLE_US

    def sent(self, now_ms, now_us):
        """The request has left the wire entirely."""
        if self._state != _SEND:
            return
        meter = self._meter
        self.send_count = 0
        self._heard_us = now_us
        self._gap_told = True
        meter.driver.sent(now_ms)
        settle_ms = getattr(meter.driver, "settle_ms", 0)
        if settle_ms and (meter.driver.line or self._default) != self.line:
            self._is_settling = True
            self._settled_ms = ticks_add(now_ms, settle_ms)
        else:
            self._look_at_line(meter)
        self._state = _ANSWER
        self._until_ms = ticks_add(now_ms, meter.driver.reply_ms + 1)
        if not meter.driver.waiting:  # a broadcast: nobody answers
            self._next_transaction(now_ms)

    def received(self, count, now_ms, now_us):
        """rx[0:count] has come from the line."""
        self._heard_us = now_us
        self._gap_told = False
        if self._state == _ANSWER:
            self._feed(self._meter, 0, count, now_ms)
            if self._state == _ANSWER:
                if not self._meter.driver.waiting:
                    self._next_transaction(now_ms)
        elif self._listeners:
            self._listen(count, now_ms)
            if len(self.meters) == 1:  # it alone says which rate the line has
                self._look_at_line(self.meters[0])
        else:
            self.noise += count

    # --- inside

    def _listen(self, count, now_ms):
        """Feed the listeners; tell when a telegram has just ended."""
        self.rhythm.hears(now_ms)
        self._has_ended = False
        for meter in self._listeners:
            self._feed(meter, 0, count, now_ms)
        if self.rhythm.has_fed(self._has_ended) and self.on_silence:
            self.on_silence(now_ms)

    def _gap_us(self):
        if self._meter:
            return self._meter.driver.gap_us
        return max([m.driver.gap_us for m in self._listeners]) if self._listeners else 0

    def _gap_left_us(self, now_us):
        if self._gap_told:
            return 0
        return max(1, self._gap_us() - ticks_diff(now_us, self._heard_us))

    def _tell_gap(self, now_ms, now_us):
        """Feed an empty range once the line has been silent for a gap."""
        if self._gap_told or ticks_diff(now_us, self._heard_us) < self._gap_us():
            return
        self._gap_told = True
        if self._state == _ANSWER:
            self._feed(self._meter, 0, 0, now_ms)
            if self._state == _ANSWER and not self._meter.driver.waiting:
                self._next_transaction(now_ms)
        else:
            for meter in self._listeners:
                self._feed(meter, 0, 0, now_ms)

    def _step_pause(self, now_ms, now_us):
        meter = self._meter
        left_us = ticks_diff(self._until_ms, now_ms) * 1000
        silent_us = ticks_diff(now_us, self._heard_us)
        if 0 <= silent_us < meter.driver.gap_us:
            left_us = max(left_us, meter.driver.gap_us - silent_us)
        if left_us > 0:
            return left_us
        if self.is_held:
            self.on_silence(now_ms)
            if self.is_held:
                return _HELD_US
        self.send_count = meter.driver.request(self.tx)
        self._look_at_line(meter)
        if self.send_count == 0:
            self._end_turn(now_ms)
            return 0
        self._state = _SEND
        return 0

    def _next_transaction(self, now_ms):
        if self._is_first:
            self._is_first = False
            self._first_ms = now_ms
        self._tries = 0
        self._bad = False
        self._state = _PAUSE
        self._until_ms = ticks_add(now_ms, self._meter.driver.wait_ms)

    def _no_answer(self, now_ms):
        """The time for an answer is over: retry after the line is quiet, or give up."""
        meter = self._meter
        self._tries += 1
        late_ms = max(_QUIET_MS, meter.driver.reply_ms)
        is_one_instant = self._is_first or ticks_diff(now_ms, self._first_ms) < _TURN_MS
        if self._tries <= meter.retries and not meter.failures and is_one_instant:
            self._log.debug("bus", "%s: no answer from %s, retry", self.name, meter.name)
            self._state = _PAUSE
            self._until_ms = ticks_add(now_ms, late_ms)
            return
        self._give_up(now_ms, BAD_FRAME if self._bad else NO_REPLY)
        self._state = _IDLE
        # A late answer must not reach the next meter: its bytes are noise until then.
        if self._queue:
            self._begin_turn(ticks_add(now_ms, _QUIET_MS))

    def _begin_turn(self, at_ms):
        self._meter = self._queue.pop(0)
        self._tries = 0
        self._bad = False
        self._is_first = True
        self._state = _PAUSE
        self._until_ms = at_ms

    def _give_up(self, now_ms, quality):
        meter = self._meter
        self._hearing = meter
        meter.no_reply += 1
        meter.failures += 1
        backoff = min(_BACKOFF_MS << min(meter.failures - 1, 6), _BACKOFF_CAP_MS)
        meter.retry_at_ms = ticks_add(now_ms, backoff)
        state = meters_.GARBLED if quality == BAD_FRAME else meters_.SILENT
        meter.driver.give_up(self._emit, quality)
        self._meter = None
        if meter.state != state:
            meter.state = state
            self._log.warn(
                "bus", "%s: %s is %s", self.name, meter.name, meters_.STATE_NAMES[state]
            )
            self._on_turn(meter)

    def _end_turn(self, now_ms):
        meter = self._meter
        self._meter = None
        self._state = _IDLE
        meter.failures = 0
        self._is_ok(meter)

    def _is_ok(self, meter):
        if meter.state != meters_.OK:
            was = meter.state
            meter.state = meters_.OK
            self._log.info("bus", "%s: %s answers", self.name, meter.name)
            if was != meters_.WAITING:
                self._on_turn(meter)

    def _look_at_line(self, meter):
        self._is_settling = False
        self.line = meter.driver.line or self._default

    def _feed(self, meter, start, end, now_ms):
        """Feed a driver until it has taken everything; its errors cost what they must."""
        self._hearing = meter
        first = True
        while first or start < end:
            first = False
            try:
                start = meter.driver.feed(self.rx, start, end, now_ms, self._emit)
            except BadFrame as error:
                start = max(error.resume, start)
                meter.bad_frames += 1
                self._bad = True
                self._log.debug("bus", "%s: %s: %s", self.name, meter.name, error)
                hint = getattr(meter.driver, "hint", "")
                if hint != meter.hint:
                    meter.hint = hint
                    if hint:
                        self._log.warn("bus", "%s: %s: %s", self.name, meter.name, hint)
            except Refused as error:
                start = max(error.resume, start)
                meter.refused += 1
                self._log.info("bus", "%s: %s: %s", self.name, meter.name, error)
                if meter is self._meter:
                    if error.later:
                        self._until_ms = now_ms  # no use in waiting for more: retry or give up
                        return
                    self._next_transaction(now_ms)

    def _emitted(self, reading):
        meter = self._hearing
        if meter.listens:
            self._has_ended = True
            self._is_ok(meter)
        self._on_reading(meter, reading)
