"""Find the meters of a line that nobody has documented: baud x parity x address.

    scan = Scan(open_serial(port, SETTINGS[0][0]), on_progress=show)
    scan.listen(3.0)                     # a Problem when somebody else is talking
    for hit in scan.run():               # as they are found; Ctrl-C between or during them
        hit.line, hit.unit, hit.fits

Settings and addresses are tried in the order of their likelihood. All meters of a line share its
settings, so the first hit excludes every other setting; an answer that cannot be understood moves
the other parities of its rate to the front. Stop bits are not tried: a receiver looks at the
first. An answer counts whatever it says: an exception is a meter too.

Not found: meters that neither answer function 3 nor function 4 at register 0, and two at one
address, whose answers collide (told as garbled).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from drivers.checksums import crc16_modbus
from drivers.errors import BadFrame
from drivers.modbus_frame import ANSWER, EXCEPTION, framing
from host_tools.desk.identify import Fit, fits
from host_tools.desk.master import Master
from host_tools.desk.wires import Line, Wire, line_text
from host_tools.problems import DEVICE, USAGE, Problem

# Settings and how likely they are: what the maps' meters leave the factory with, the standard's
# own (19200 8E1; Modbus over Serial Line V1.02, 2.2), and field knowledge.
SETTINGS: tuple[tuple[Line, int], ...] = (
    ((9600, 8, "N", 1), 100),
    ((19200, 8, "E", 1), 60),
    ((9600, 8, "E", 1), 50),
    ((19200, 8, "N", 1), 45),
    ((2400, 8, "N", 1), 30),
    ((38400, 8, "N", 1), 20),
    ((115200, 8, "N", 1), 15),
    ((4800, 8, "N", 1), 12),
    ((38400, 8, "E", 1), 10),
    ((57600, 8, "N", 1), 8),
    ((2400, 8, "E", 1), 6),
    ((4800, 8, "E", 1), 6),
    ((9600, 8, "O", 1), 5),
    ((19200, 8, "O", 1), 4),
    ((57600, 8, "E", 1), 3),
    ((115200, 8, "E", 1), 3),
    ((1200, 8, "N", 1), 3),
)
UNITS = tuple(range(1, 248))
_UNIT_MAX = 255
_EXTEND_S = 0.05  # longer than an adapter keeps bytes back
_STRAYS = 4  # bytes that came while nobody was asked, so many times: somebody else is talking
_GATEWAY = (10, 11)  # exceptions by which a gateway says that there is no such meter


@dataclass(frozen=True)
class Hit:
    """A meter that answered."""

    line: Line
    unit: int
    answer: str  # "registers", or "exception 2"
    fits: tuple[Fit, ...] = ()
    is_serial: bool = True  # else the line says nothing

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for --json."""
        maps = [{"map": fit.map, "why": fit.why, "score": fit.score} for fit in self.fits]
        return {
            "line": line_text(self.line) if self.is_serial else "tcp",
            "unit": self.unit,
            "answer": self.answer,
            "maps": maps,
        }


@dataclass(frozen=True)
class Progress:
    """Where the scan is, after each question."""

    done: int
    left: int
    left_s: float
    line: Line
    unit: int


@dataclass
class Scan:
    """One search; `hits` and `garbled` stay when it is interrupted."""

    wire: Wire
    settings: Sequence[tuple[Line, int]] = SETTINGS
    units: Sequence[int] = UNITS
    transport: str = "rtu"
    wait_ms: int = 150  # for the first byte of an answer; most meters take 20 to 100
    identify: bool = True
    on_progress: Callable[[Progress], None] = lambda progress: None
    hits: list[Hit] = field(default_factory=list)
    garbled: list[tuple[Line, int]] = field(default_factory=list)  # came, not understood

    def __post_init__(self) -> None:
        self._line = self.settings[0][0]
        self._done = 0
        self._strays = 0
        self._request = b""
        self._asked: list[int] = []  # the last units asked: whose late answers are no strangers
        self._spent_s = self._planned_s = 1e-9

    def listen(self, seconds: float) -> None:
        """Hear for so long whether the line is free; a Problem when it is not."""
        heard = b""
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            heard += self.wire.read(min(0.1, max(0.0, until_s - time.monotonic())))
            if len(heard) >= 32:
                break
        if heard:
            raise _talking(heard)

    def run(self) -> Iterator[Hit]:
        """Yield each meter as it is found."""
        for function in (3, 4):
            queue = self._queue()
            while queue:
                line, unit = asked = queue.pop(0)
                answer, who = self._ask(function, line, unit)
                if who != unit:
                    queue.insert(0, asked)  # the answer of one asked before came in between
                if answer == "garbled":
                    if asked not in self.garbled:
                        self.garbled.append(asked)
                        queue = sorted(queue, key=partial(_is_far, asked))
                elif answer and not self._is_known(who):
                    queue = [c for c in queue if c[0] == line and c[1] != who]
                    yield self._hit(line, who, answer)
                self._tell(queue, line, unit)
            if self.hits:
                return

    def _queue(self) -> list[tuple[Line, int]]:
        """Return every setting with every address, the likeliest first."""
        ranked = [
            (-weight * _unit_weight(unit), number, unit, line)
            for number, (line, weight) in enumerate(self.settings)
            for unit in self.units
        ]
        return [(line, unit) for _, _, unit, line in sorted(ranked)]

    def _is_known(self, unit: int) -> bool:
        return any(hit.unit == unit for hit in self.hits)

    def _hit(self, line: Line, unit: int, answer: str) -> Hit:
        found: list[Fit] = []
        if self.identify:
            options = {"transport": self.transport, "line": line}
            found = fits(Master(self.wire, line), unit, options)
        hit = Hit(line, unit, answer, tuple(found), self.transport != "tcp")
        self.hits.append(hit)
        return hit

    # --- one question

    def _ask(self, function: int, line: Line, unit: int) -> tuple[str, int]:
        """Return what answered, and who: "registers", "exception N", "garbled" or ""."""
        if line != self._line:
            self.wire.configure(line)
            self._line = line
        begun_s = time.monotonic()
        late = self._strangers(self.wire.read(_gap_s(line)))
        if late:
            return "registers", late
        frame = framing(self.transport, unit, 4)
        out = bytearray(16)
        self._request = bytes(out[: frame.ask(out, function, 0, 2)])
        self.wire.write(self._request)
        heard = b""
        until_s = time.monotonic() + self.wait_ms / 1000
        answer = ""
        while not answer and (left_s := until_s - time.monotonic()) > 0:
            data = self.wire.read(left_s)
            heard += data
            if data:
                answer = self._taken(frame, data)
                until_s = min(max(until_s, time.monotonic() + _EXTEND_S), begun_s + 2)
        self._asked = [*self._asked[-8:], unit]
        self._done += 1
        self._spent_s += time.monotonic() - begun_s
        self._planned_s += self._cost_s(line)
        return (answer, unit) if answer else self._understood(heard, unit)

    def _taken(self, frame: Any, data: bytes) -> str:
        try:
            frame.take(data, 0, len(data))
        except BadFrame:
            return ""
        if frame.what == EXCEPTION and frame.code in _GATEWAY and self.transport == "tcp":
            return ""
        if frame.what == EXCEPTION:
            return f"exception {frame.code}"
        return "registers" if frame.what == ANSWER else ""

    def _understood(self, heard: bytes, unit: int) -> tuple[str, int]:
        """Return what bytes are that answered nothing: an echo, a late answer, rubble."""
        heard = heard.replace(self._request, b"")  # an adapter that hears itself
        if not heard or self.transport == "tcp":
            return "", unit
        kind, who = frame_in(heard)
        if kind == "request":
            raise _talking(heard)
        if kind == "answer":
            return ("registers", who) if who in self._asked else ("", unit)
        return "garbled", unit

    def _strangers(self, heard: bytes) -> int:
        """Judge bytes that came while nothing was asked; return the unit of a late answer, or 0.

        A Problem when they are another master's.
        """
        heard = heard.replace(self._request, b"") if self._request else heard
        if not heard or self.transport == "tcp":
            return 0
        kind, unit = frame_in(heard)
        if kind == "answer" and unit in self._asked:
            return unit
        self._strays += 1
        if kind == "request" or self._strays >= _STRAYS:
            raise _talking(heard)
        return 0

    # --- progress

    def _cost_s(self, line: Line) -> float:
        return 8 * 11 / line[0] + 2 * _gap_s(line) + self.wait_ms / 1000

    def _tell(self, queue: list[tuple[Line, int]], line: Line, unit: int) -> None:
        counts: dict[Line, int] = {}
        for candidate, _ in queue:
            counts[candidate] = counts.get(candidate, 0) + 1
        planned_s = sum(self._cost_s(at) * count for at, count in counts.items())
        left_s = planned_s * self._spent_s / self._planned_s
        self.on_progress(Progress(self._done, len(queue), left_s, line, unit))


def units_of(text: str) -> list[int]:
    """Return the addresses that a text names, as `1-10,100`; a Problem when it names none."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        last = last if dash else first
        if not first.isdecimal() or not last.isdecimal():
            raise Problem(f"{text!r} are no addresses", "write 1-10,100", code=USAGE)
        if not int(first) <= int(last) <= _UNIT_MAX:
            raise Problem(
                f"{text!r} are no addresses",
                "they are within 0 .. 255, the lower one first",
                code=USAGE,
            )
        found += range(int(first), int(last) + 1)
    return found


def frame_in(data: bytes) -> tuple[str, int]:
    """Return ("request" or "answer", unit) of the first whole RTU frame in data, or ("", 0).

    A read request has eight bytes, and no answer of registers has: its data come in pairs.
    """
    for at in range(len(data) - 4):
        unit, function = data[at], data[at + 1]
        if function & 0x7F not in (1, 2, 3, 4, 5, 6, 15, 16):
            continue
        for size in {5 if function & 0x80 else 5 + data[at + 2], 8}:
            end = at + size
            if end > len(data) or size < 5:
                continue
            crc = crc16_modbus(data, at, end - 2)
            if data[end - 2] == crc & 0xFF and data[end - 1] == crc >> 8:
                is_request = size == 8 and not function & 0x80 and data[at + 2] != 3
                return "request" if is_request else "answer", unit
    return "", 0


def _gap_s(line: Line) -> float:
    return max(0.004, 3.5 * 11 / line[0])


def _is_far(garbled: tuple[Line, int], candidate: tuple[Line, int]) -> bool:
    """Tell whether a candidate is not the same meter at another parity of its rate."""
    return candidate[0][0] != garbled[0][0] or candidate[1] != garbled[1]


def _unit_weight(unit: int) -> int:
    """Return how likely an address is: meters leave the factory at 1, then people count up."""
    if unit == 1:
        return 1000
    if unit <= 5:
        return 300
    if unit <= 20 or unit in (100, 126, 247, 255):
        return 60
    return 20 if unit <= 50 else 5


def _talking(heard: bytes) -> Problem:
    kind, unit = frame_in(heard)
    who = f"a request to unit {unit}" if kind == "request" else f"{len(heard)} bytes"
    return Problem(
        f"somebody else is talking on this line: {who} came unasked ({heard[:16].hex(' ')})",
        "disconnect the other master, or read its configuration; noise on a line that nobody "
        "uses means that its bias resistors are missing",
        code=DEVICE,
    )
