"""The dialogue with a cellular modem until it carries PPP: commands out, answers in.

Not here: the UART (firmware/hal/ppp.py), PPP itself (the port's network.PPP), when to try again
(agent/interface.py). Sources: 3GPP TS 27.007 (V16) 7.2 +CREG, 8.5 +CSQ, 10.1.1 +CGDCONT; 8.3
+CPIN; 3GPP TS 27.005 is not used; ITU-T V.250 5.7 for result codes.

A PIN is never sent: three wrong ones lock a card, and a gateway that restarts would get there
without a person. A card that asks for one is REFUSED, and the text says what to do.

    modem = Modem("iot.example")
    length = modem.step(out, now_ms)            # what to write, 0: nothing
    modem.received(data, 0, count, now_ms)
    modem.state                                 # DIALS, CONNECTED, REFUSED or FAILED; modem.why
"""

from micropython import const

from drivers.ticks import ticks_add, ticks_diff

DIALS = const(0)
CONNECTED = const(1)
REFUSED = const(2)  # only a person can help
FAILED = const(3)

LINE_MAX = const(128)
_ANSWER_MS = const(3000)
_DIAL_MS = const(60000)
_AGAIN_MS = const(1000)
_TRIES = const(10)  # of AT, while the modem starts
_LOOKS = const(90)  # of +CREG, a second apart: a first registration takes its time

_AT = const(0)
_ECHO = const(1)
_CARD = const(2)
_SIGNAL = const(3)
_NETWORK = const(4)
_CONTEXT = const(5)
_DIAL = const(6)
_COMMANDS = ("AT", "ATE0", "AT+CPIN?", "AT+CSQ", "AT+CREG?", 'AT+CGDCONT=1,"IP","%s"', "ATD*99#")


class Modem:
    """One attempt. apn: the operator's name for its data network."""

    def __init__(self, apn):
        self._apn = apn
        self.state = DIALS
        self.why = ""
        self.signal = None  # dBm, None while unknown
        self._step = _AT
        self._tries = 0
        self._due = None  # when to write the command; None: at once
        self._until = None  # when the answer is late; None: none is awaited
        self._line = bytearray(LINE_MAX)
        self._have = 0

    def step(self, out, now_ms):
        """Write the next command into out; return its length."""
        if self.state != DIALS:
            return 0
        if self._until is not None:
            if ticks_diff(self._until, now_ms) > 0:
                return 0
            self._until = None
            self._again(now_ms, "no answer to %s" % _COMMANDS[self._step][:8])
            if self.state != DIALS:
                return 0
        if self._due is not None and ticks_diff(self._due, now_ms) > 0:
            return 0
        text = _COMMANDS[self._step]
        if self._step == _CONTEXT:
            text = text % self._apn
        data = text.encode() + b"\r"
        out[: len(data)] = data
        self._until = ticks_add(now_ms, _DIAL_MS if self._step == _DIAL else _ANSWER_MS)
        return len(data)

    def received(self, data, start, end, now_ms):
        """Take bytes of the modem; what follows CONNECT is PPP's and is not looked at."""
        for at in range(start, end):
            if self.state != DIALS:
                return
            byte = data[at]
            if byte in (10, 13):
                if self._have:
                    line = bytes(memoryview(self._line)[: self._have])
                    self._have = 0
                    self._take(line, now_ms)
            elif self._have < LINE_MAX:
                self._line[self._have] = byte
                self._have += 1

    def _take(self, line, now_ms):
        if self._until is None:
            return  # nobody asked: a message of its own accord
        if line == b"OK":
            if self._step != _DIAL:
                self._done(now_ms)
        elif line[:7] == b"CONNECT":
            if self._step == _DIAL:
                self.state = CONNECTED
        elif line[:6] == b"+CPIN:":
            self._take_card(line[6:].strip())
        elif line[:5] == b"+CSQ:":
            self._take_signal(line[5:].split(b",")[0].strip())
        elif line[:6] == b"+CREG:":
            self._take_registration(line[6:].split(b","))
        elif line[:5] in (b"ERROR", b"+CME ") or line in (
            b"NO CARRIER",
            b"NO DIALTONE",
            b"BUSY",
            b"NO ANSWER",
        ):
            self._until = None
            self._again(now_ms, line.decode() if _is_ascii(line) else "no text")

    def _take_card(self, answer):
        if answer == b"READY":
            return
        if answer in (b"SIM PIN", b"SIM PUK"):
            self._end(REFUSED, "the card asks for its PIN: switch that off in a telephone")
            return
        self._end(REFUSED, "the card: %s" % (answer.decode() if _is_ascii(answer) else "no text"))

    def _take_signal(self, answer):
        if answer.isdigit() and int(answer) <= 31:  # 99: not known
            self.signal = -113 + 2 * int(answer)

    def _take_registration(self, fields):
        status = fields[1].strip() if len(fields) > 1 else b""
        if status in (b"1", b"5"):  # home, roaming
            self._tries = -1
        elif status == b"3":
            self._end(REFUSED, "the network refuses this card")

    def _done(self, now_ms):
        self._until = None
        if self._step == _NETWORK and self._tries >= 0:
            self._again(now_ms, "no network")
            return
        self._tries = 0
        self._due = None
        self._step += 1

    def _again(self, now_ms, why):
        """Ask the same once more, where that can help; else give up."""
        self._tries += 1
        most = _LOOKS if self._step == _NETWORK else _TRIES if self._step == _AT else 3
        if self._tries >= most or self._step == _DIAL:
            self._end(FAILED, why)
            return
        self._due = ticks_add(now_ms, _AGAIN_MS)

    def _end(self, state, why):
        self.state = state
        self.why = why


def _is_ascii(data):
    for byte in data:
        if not 32 <= byte < 127:
            return False
    return True
