"""Find the meters of a wired M-Bus: who answers at which rate, by primary and secondary address.

    scan = MBusScan(open_serial(port, line_at(2400)), on_progress=show)
    for hit in scan.run():               # as they are found; Ctrl-C between or during them
        hit.address, hit.secondary, hit.maps

At each rate all meters are asked at once first; a rate at which nobody says anything is left out,
unless that is so of all. Then each primary address is asked, then the identifications are narrowed
digit by digit wherever several meters answer (drivers/mbus_search.py): meters that share an
address, or have none yet, are found so. Source: EN 13757-2:2018, 5; EN 13757-3:2018, 11.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from drivers import load_map
from drivers.errors import BadFrame, Refused
from drivers.mbus import MBus
from drivers.mbus_link import LONG, Link, short_frame
from drivers.mbus_records import selector
from drivers.mbus_search import Search
from drivers.reading import Reading
from host_tools.desk.wires import Line, Wire, line_text
from host_tools.planning.map_file import map_names

BAUDS = (2400, 300, 9600)
ADDRESSES = tuple(range(251))  # 0: as meters leave the factory
_ALL = 0xFE
_SELECTED = 0xFD
_SND_NKE = 0x40
_REQ_UD2 = 0x7B
_ADAPTER_S = 0.06  # longer than an adapter keeps bytes back
_MEDIA = {
    0: "other",
    1: "oil",
    2: "electricity",
    3: "gas",
    4: "heat",
    5: "steam",
    6: "warm water",
    7: "water",
    8: "heat cost allocator",
    9: "compressed air",
    10: "cooling, outlet",
    11: "cooling, inlet",
    12: "heat, inlet",
    13: "heat and cooling",
    14: "bus",
    21: "hot water",
    22: "cold water",
    23: "hot and cold water",
    24: "pressure",
    25: "analogue or pulses",
    26: "smoke",
    27: "room climate",
    32: "breaker",
    33: "valve",
    40: "waste water",
    41: "waste",
    54: "radio converter",
}


def line_at(baud: int) -> Line:
    """Return the settings of an M-Bus at this rate."""
    return baud, 8, "E", 1


@dataclass(frozen=True)
class MBusHit:
    """A meter that answered."""

    line: Line
    address: int | None  # primary; None: found by its identification only
    secondary: str = ""  # 16 hexadecimal digits, 8 of fixed data, "" where it said nothing
    maker: str = ""
    version: int | None = None
    medium: str = ""
    records: int = 0
    maps: tuple[tuple[str, int, int], ...] = ()  # name, points that it sends, points

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for --json."""
        return {
            "line": line_text(self.line),
            "address": self.address,
            "secondary": self.secondary,
            "maker": self.maker,
            "version": self.version,
            "medium": self.medium,
            "records": self.records,
            "maps": [{"map": name, "points": here, "of": all_} for name, here, all_ in self.maps],
        }


@dataclass
class MBusScan:
    """One search; `hits` and `garbled` stay when it is interrupted."""

    wire: Wire
    bauds: Sequence[int] = BAUDS
    addresses: Sequence[int] = ADDRESSES
    wait_ms: int = 0  # for the first byte of an answer; 0: what the standard allows
    search: bool = True
    on_progress: Callable[[str], None] = lambda text: None
    hits: list[MBusHit] = field(default_factory=list)
    garbled: list[tuple[Line, str]] = field(default_factory=list)  # came, not understood

    def run(self) -> Iterator[MBusHit]:
        """Yield each meter as it is found."""
        heard = [baud for baud in self.bauds if self._is_inhabited(line_at(baud))]
        for baud in heard or self.bauds:
            line = line_at(baud)
            self.wire.configure(line)
            known: set[str] = set()
            for hit in self._primary(line):
                known.add(hit.secondary)
                self.hits.append(hit)
                yield hit
            if not self.search:
                continue
            for hit in self._secondary(line):
                if hit.secondary not in known:
                    self.hits.append(hit)
                    yield hit

    def _is_inhabited(self, line: Line) -> bool:
        """Tell whether anything answers at this rate when all are asked at once."""
        self.on_progress(f"{line_text(line)}: is anybody there?")
        self.wire.configure(line)
        out = bytearray(32)
        if self._ask(bytes(out[: short_frame(out, _SND_NKE, _ALL)]), line):
            return True
        return bool(self._ask(bytes(out[: Search().request(out)]), line))

    def _primary(self, line: Line) -> Iterator[MBusHit]:
        out = bytearray(8)
        begun_s = time.monotonic()
        for done, address in enumerate(self.addresses):
            left = len(self.addresses) - done
            left_s = (time.monotonic() - begun_s) / done * left if done else 0.0
            of = len(self.addresses)
            if done:
                time_left = f"{int(left_s) // 60}:{int(left_s) % 60:02}"
                self.on_progress(
                    f"{line_text(line)} address {address}: {done} of {of}, {time_left} left"
                )
            else:
                self.on_progress(f"{line_text(line)} address {address}: the first of {of}")
            answer = self._ask(bytes(out[: short_frame(out, _SND_NKE, address)]), line)
            if not answer:
                continue
            if answer != b"\xe5":
                self.garbled.append((line, f"address {address}"))
                continue
            frame = self._ask(bytes(out[: short_frame(out, _REQ_UD2, address)]), line)
            hit = _read(line, address, frame)
            if hit is None:
                self.garbled.append((line, f"address {address}"))
            else:
                yield hit

    def _secondary(self, line: Line) -> Iterator[MBusHit]:
        search = Search()
        out = bytearray(32)
        while length := search.request(out):
            found = len(search.found)
            self.on_progress(f"{line_text(line)} identification {search.mask}: {found} found")
            answer = self._ask(bytes(out[:length]), line)
            if search.heard(answer, 0, len(answer)):
                hit = _read(line, None, answer)
                if hit is not None:
                    yield hit
        self.garbled += [(line, f"identification {digits}") for digits in search.collided]
        self._ask(bytes(out[: short_frame(out, _SND_NKE, _SELECTED)]), line)

    def _ask(self, request: bytes, line: Line) -> bytes:
        """Send a request and return what came until the line was silent."""
        self.wire.read(0)  # a late answer to the one before
        self.wire.write(request)
        bit_s = 1 / line[0]
        wait_s = self.wait_ms / 1000 or 330 * bit_s + 0.05 + _ADAPTER_S
        heard = b""
        until_s = time.monotonic() + wait_s
        while (left_s := until_s - time.monotonic()) > 0:
            data = self.wire.read(left_s)
            if data:
                heard += data
                if heard == request:  # an adapter that hears itself
                    heard = b""
                    continue
                until_s = time.monotonic() + 33 * bit_s + _ADAPTER_S
        return heard.removeprefix(request)


def _read(line: Line, address: int | None, data: bytes) -> MBusHit | None:
    """Return the meter that sent this answer; None when it is no single good frame."""
    if not data:
        return MBusHit(line, address)  # it acknowledges, and has no data now
    link = Link()
    try:
        kinds = [link.take(byte, i + 1) for i, byte in enumerate(data)]
    except BadFrame:
        return None
    if kinds.count(LONG) != 1 or kinds[-1] != LONG or any(kinds[:-1]):
        return None
    frame = bytes(link.frame[: link.frame[1] + 6])
    names: list[str] = []

    def emit(reading: Reading) -> None:
        names.extend(point.name for point in reading.points)

    try:
        MBus(None, {}).feed(data, 0, len(data), 0, emit)
    except (BadFrame, Refused):
        names = []
    told: dict[str, Any] = {"records": len(names), "maps": _fits(names)}
    if frame[6] == 0x72 and len(frame) >= 21:
        number = frame[11] | frame[12] << 8
        told["secondary"] = (frame[10:6:-1] + frame[11:15]).hex().upper()
        told["maker"] = "".join(chr(64 + (number >> shift & 31)) for shift in (10, 5, 0))
        told["version"] = frame[13]
        told["medium"] = _MEDIA.get(frame[14], f"medium {frame[14]}")
    elif frame[6] == 0x73 and len(frame) >= 15:
        told["secondary"] = frame[10:6:-1].hex().upper()
    return MBusHit(line, address, **told)


def _fits(names: Sequence[str]) -> tuple[tuple[str, int, int], ...]:
    """Return the maps of which a meter with these records sends more than half the points."""
    sent = {bytes(int(byte, 16) for byte in name.split()) for name in names}
    found = []
    for name in map_names("mbus"):
        codes = [selector(row[4]) for row in load_map(name)["points"]]
        here = sum(code in sent for code in codes)
        if 2 * here > len(codes):
            found.append((name, here, len(codes)))
    return tuple(sorted(found, key=lambda fit: (-fit[1] / fit[2], fit[0])))
