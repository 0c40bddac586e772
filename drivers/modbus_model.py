"""What all meters of one map, points and options share: a street of one model needs it once.

Not here: what one meter is known for (modbus.py) and how to read its registers (modbus_plan.py).
A gateway with 247 meters of one model holds one plan, and one Turn for each port that is asking
at the same moment; what stays for each meter is its address and what it has taught.

    model = shared_model(table, options)     # the same object for the same table and options
    turn = model.lend()                      # ... frames, reading: everything a turn needs
    model.take_back(turn)
"""

from drivers.modbus_decode import Decoder
from drivers.modbus_frame import framing
from drivers.modbus_plan import Plan

_REPLY_MS = 500
# Options that make another plan, and those that only make another model.
_OF_PLAN = ("max_registers", "gap_registers", "word_order")
_OF_MODEL = ("transport", "line", "wait_ms", "reply_ms")
# (key, key of the plan, table, Model) of each made since the last forget(). A table is known by
# its identity, so it is held here, and only here: it takes 15 KB.
_MODELS: list = []


def forget():
    """Let the maps go, and share nothing made of them with meters made later."""
    _MODELS.clear()


class Turn:
    """What one meter needs while it is asked, lent to it for that long.

    frame, decoder   the wire and the reading; decoder.reading is the owner's until given back
    step             index of the step under way
    is_over          the reading is out; request() has still to say so
    is_retry         the request was sent before, and its first answer may still come
    is_busy          the meter has said "later"
    is_command       what request() gave last writes
    now_ms           when the last frame passed
    """

    def __init__(self, model):
        self.frame = framing(model.transport, 1, max(4, model.plan.biggest))
        self.decoder = Decoder(model.plan)
        self.clear()

    def clear(self):
        """Begin anew; the reading stays as it is until decoder.begin()."""
        self.frame.clear()
        self.step = self.now_ms = 0
        self.is_over = self.is_retry = self.is_busy = self.is_command = False


class Model:
    """A plan, the times of a wire, and the Turns that are free.

    plan, points     see modbus_plan.py
    transport        "rtu", "tcp" or "rtu_tcp"
    gap_us           silence that ends a frame: 3.5 characters, 1.75 ms above 19,200 baud
    pause_ms         least pause before a request
    reply_ms         longest wait for an answer, the answer's own length included
    models, bases    of a SunSpec map: its models and where the marker may be; else None
    """

    def __init__(self, table, plan, options):
        self.plan = plan
        self.points = plan.points
        self.transport = transport_of(options)
        baud = baud_of(table, options)
        self.gap_us = 0 if self.transport == "tcp" else gap_us(baud)
        self.pause_ms = options.get("wait_ms", table.get("wait_ms", 0))
        # The answer's own length counts, for slow lines: 11 bits a character.
        answer_ms = (plan.biggest + 5) * 11_000 // baud + 1
        self.reply_ms = options.get("reply_ms", table.get("reply_ms", _REPLY_MS)) + answer_ms
        self.models = table.get("models")
        self.bases = table.get("bases")
        self._free: list = []

    def lend(self):
        """Return a Turn that nobody has."""
        return self._free.pop() if self._free else Turn(self)

    def take_back(self, turn):
        """Keep a Turn for the next meter."""
        turn.clear()
        self._free.append(turn)


def shared_model(table, options):
    """Return the Model of a meter; ValueError when table or options cannot be."""
    names = tuple(options.get("points", ()))
    plan_key = (id(table), names) + tuple([options.get(name) for name in _OF_PLAN])
    key = plan_key + tuple([options.get(name) for name in _OF_MODEL])
    plan = None
    for known_key, known_plan_key, _, known in _MODELS:
        if known_key == key:
            return known
        if known_plan_key == plan_key:
            plan = known.plan
    transport_of(options)
    model = Model(table, plan or Plan(table, names, options), options)
    _MODELS.append((key, plan_key, table, model))
    return model


def transport_of(options):
    """Return how frames are carried; ValueError when nobody carries them so."""
    transport = options.get("transport", "rtu")
    if transport not in ("rtu", "tcp", "rtu_tcp"):
        raise ValueError("transport %s is none of rtu, tcp, rtu_tcp" % transport)
    return transport


def baud_of(table, options):
    """Return the baud rate the port runs at, as far as is known."""
    line = options.get("line") or table.get("line") or (9600, 8, "N", 1)
    return line[0]


def gap_us(baud):
    """Return the silence between frames (Modbus over Serial Line V1.02, 2.5.1.1)."""
    return 1750 if baud > 19200 else 38_500_000 // baud  # 3.5 characters of 11 bits
