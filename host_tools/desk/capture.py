"""Captured bytes to values, by the gateway's own drivers.

Not a recorder: `eclor capture` writes what this reads. Every protocol of drivers/__init__.py is
used without a map, so that each value in the bytes is given under the protocol's own code.

    parser = Parser("tic", {})
    for value in parser.values(read_capture(Path("line.bin"))):
        value.code, value.value, value.unit          # "EAST", "11887649", "Wh"
    parser.errors                                    # what was damaged, in words
"""

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from drivers import DRIVERS, load
from drivers.errors import BadFrame, DriverError, Refused
from drivers.reading import Reading
from host_tools.desk.capture_text import bytes_of
from host_tools.desk.values import Value, Values
from host_tools.problems import INPUT, USAGE, Problem, did_you_mean

# of one telegram, notification, read-out: a desk has room for load profiles of months
_SIZES = {"dsmr": 8192, "sml": 8192, "dlms": 8192, "iec62056": 262_144}
_PIECE = 256  # bytes fed at once, as a gateway's port gives them
_SPELLINGS = {
    "p1": "dsmr",
    "linky": "tic",
    "iec62056-21": "iec62056",
    "m-bus": "mbus",
    "hdlc": "dlms",
}


def protocol_of(spelling: str) -> str:
    """Return the row of DRIVERS that a technician means; a Problem when there is none."""
    name = _SPELLINGS.get(spelling.lower(), spelling.lower())
    if name not in DRIVERS:
        remedy = did_you_mean(spelling, DRIVERS) or f"one of {', '.join(DRIVERS)}"
        raise Problem(f"no driver reads {spelling}", remedy, code=USAGE)
    return name


def read_capture(path: Path, stdin: IO[bytes] | None = None, protocol: str = "") -> bytes:
    """Return the bytes of a capture; text is turned into the bytes it means (capture_text.py)."""
    try:
        data = stdin.read() if stdin and str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise Problem(
            f"{path}: {error.strerror}", "give the path of a recorded line", code=INPUT
        ) from None
    return bytes_of(data, protocol)


class Parser:
    """One protocol at a desk. `errors` grows while values() is used."""

    def __init__(
        self, protocol: str, options: dict[str, Any] | None = None, *, identities: bool = False
    ) -> None:
        """protocol: a row of DRIVERS. options: of the driver. identities: show meter numbers."""
        name = protocol_of(protocol)
        try:
            given = {"size": _SIZES[name]} if name in _SIZES else {}
            self._driver = load(name)(None, given | (options or {}))
        except (ValueError, TypeError, KeyError) as error:
            raise Problem(f"{name}: {error}", "correct the --option", code=USAGE) from None
        self._values = Values(name, identities=identities)
        self._found: list[Value] = []
        self.errors: list[str] = []

    def values(self, data: bytes) -> Iterator[Value]:
        """Yield every value, frame after frame."""
        for begin in range(0, len(data), _PIECE):
            piece = data[begin : begin + _PIECE]
            at = 0
            while at < len(piece):
                at = self._feed(piece, at, len(piece), begin)
            yield from self._taken()
        self._feed(b"", 0, 0, len(data))  # silence: what is whole is given
        yield from self._taken()

    def _feed(self, piece: bytes, at: int, end: int, offset: int) -> int:
        try:
            return int(self._driver.feed(piece, at, end, 0, self._emit))
        except (BadFrame, Refused) as error:
            resume = max(error.resume, min(at + 1, end))
            self.errors.append(f"byte {offset + resume}: {error}")
            return resume
        except DriverError as error:
            self.errors.append(f"byte {offset + at}: {error}")
            return end

    def _taken(self) -> list[Value]:
        found, self._found = self._found, []
        return found

    def _emit(self, reading: Reading) -> None:
        self._found += self._values.of(reading)
