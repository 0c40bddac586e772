"""A simulated French meter with a customer output, or one that repeats a capture.

It speaks what a map asks for, in the map's own mode: labels with a tab (Linky, standard), with a
space (historique), or numbers with their units (PME-PMI). Groups are written here, not by
drivers/; only the labels' widths are taken from drivers/tic_labels.py.

    meter = TicMeter(load_map("linky_standard"), value)      # value(name, now_s) -> Decimal
    data, pause_s = meter.frame(time.time())

    meter = TicCapture(path.read_bytes())
    data, pause_s = meter.frame(time.time())                 # one frame after the other, for ever
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from drivers.tic_labels import look_up

_PAUSE_S = 0.02  # 16.7 to 33.4 ms between frames (CPT_54E, 5.3.1)
_PARIS = ZoneInfo("Europe/Paris")
_TEXTS = {
    "ADCO": "000000000000",
    "ADSC": "000000000000",
    "ADS": "000000000000",
    "PRM": "00000000000000",
    "OPTARIF": "BASE",
    "PTEC": "TH..",
    "HHPHC": "A",
    "MOTDETAT": "000000",
    "NGTF": "      BASE      ",
    "LTARF": "      BASE      ",
    "MSG1": "PAS DE          MESSAGE         ",
    "PTCOUR1": "HPH",
}
_STATES = {"NTARF": 1, "STGE": 0x003A0001}
# what a contract BASE without an over-load does not send
_ABSENT = ("HC", "EJP", "BBR", "PEJP", "DEMAIN", "ADPS", "ADIR")


class TicMeter:
    """One meter that speaks by itself."""

    def __init__(
        self, table: Mapping[str, Any], value: Callable[[str, str, float], Decimal]
    ) -> None:
        """table: a MAP of protocol tic. value(name, unit, now_s): what the meter measures."""
        self._value = value
        self._rows = [row for row in table["points"] if "." not in row[4]]
        codes = [row[4] for row in self._rows]
        if len(self._rows) < len(table["points"]) and "STGE" not in codes:
            self._rows.append(("status", "", 0, "state", "STGE"))
            codes.append("STGE")
        self._is_standard = "EAST" in codes
        self._begin = "ADSC" if self._is_standard else "ADCO"

    def frame(self, now_s: float) -> tuple[bytes, float]:
        """Return the next frame and the pause behind it, in seconds."""
        groups = [self._group(self._begin, _TEXTS[self._begin])]
        if self._is_standard:
            groups.append(self._group("VTIC", "02"))
            groups.append(self._group("DATE", "", _date(now_s)))
        for name, unit, _exponent, _kind, code, *_ in self._rows:
            if code == self._begin or (not self._is_standard and code.startswith(_ABSENT)):
                continue
            text = self._text(name, unit, code, now_s)
            at = _date(now_s) if code.startswith(("SMAX", "CCA", "UMOY")) else None
            groups.append(self._group(code, text, at))
        return b"\x02" + b"".join(groups) + b"\x03", _PAUSE_S

    def _text(self, name: str, unit: str, code: str, now_s: float) -> str:
        """Return the data of one group."""
        if code in _TEXTS:
            return _TEXTS[code]
        found = look_up(code.encode())
        assert found is not None
        width, base = found[3], found[4]
        if not base:
            return " " * max(width, 1)
        if code in _STATES:
            return f"{_STATES[code]:0{width}{'X' if base == 16 else 'd'}}"
        if not unit and width > 0:
            return "0" * width
        if unit == "kVA":
            return "09".zfill(width)
        value = self._value(name, unit, now_s)
        if width < 0:
            return f"{value:.2f}{unit}" if not unit else f"{int(value)}{unit}"
        return f"{min(int(value), 10**width - 1):0{width}d}"

    def _group(self, label: str, data: str, date: str | None = None) -> bytes:
        separator = "\t" if self._is_standard else " "
        text = separator.join((label, *([date] if date else []), data))
        summed = text + separator if self._is_standard else text
        check = (sum(summed.encode("ascii")) & 0x3F) + 0x20
        return f"\n{text}{separator}{chr(check)}\r".encode("ascii")


def _date(now_s: float) -> str:
    """Return SYYMMDDhhmmss, French legal time."""
    local = datetime.fromtimestamp(now_s, _PARIS)
    return ("E" if local.dst() != timedelta(0) else "H") + local.strftime("%y%m%d%H%M%S")


class TicCapture:
    """Says again what was recorded from a meter, frame after frame, from the start at its end."""

    def __init__(self, capture: bytes) -> None:
        """capture: raw bytes of a line; parity bits are dropped."""
        data = bytes(b & 0x7F for b in capture)
        if b"\x02" not in data:
            data = b"\x02" + data + b"\x03"
        self._frames = [b"\x02" + part for part in data.split(b"\x02")[1:]]
        self._at = 0

    def frame(self, now_s: float) -> tuple[bytes, float]:
        """Return the next frame and the pause behind it, in seconds."""
        data = self._frames[self._at % len(self._frames)]
        self._at += 1
        return data, _PAUSE_S


def map_of(capture: bytes) -> tuple[str, int]:
    """Return the map and the baud rate that a capture asks for."""
    data = bytes(b & 0x7F for b in capture)
    if b"\nADSC\t" in data or b"\nEAST\t" in data:
        if b"\nEAIT\t" in data:
            return "linky_producer", 9600
        return ("linky_standard_3p" if b"\nURMS2\t" in data else "linky_standard"), 9600
    if b"\nEA_s " in data:
        return "pme_pmi", 1200
    return ("tic_historique_3p" if b"\nIINST2 " in data else "tic_historique"), 1200


def labels_of(capture: bytes) -> set[str]:
    """Return the labels that begin a group of a capture."""
    labels = set()
    for group in bytes(b & 0x7F for b in capture).split(b"\n"):
        label = group.split(b"\t")[0] if b"\t" in group else group.split(b" ")[0]
        if look_up(label):
            labels.add(label.decode("ascii"))
    return labels
