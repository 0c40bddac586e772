"""A reading as people and programs want it: code, name, exact decimal text, unit, quality.

    values = Values("tic")
    values.of(reading)           # [Value("EAST", "energy_import", "11887649", "Wh", "good", None)]

Meter numbers that name a household become pseudonyms, of one run, unless identities is true.
"""

import hashlib
import hmac
import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from drivers.reading import QUALITY_NAMES, Reading, decimal_text

# codes of values that name a household
_PERSONAL = {"tic": {"ADCO", "ADSC", "ADS", "PRM"}}


@dataclass(frozen=True)
class Value:
    """One value of one frame."""

    code: str  # the protocol's own identifier
    name: str
    value: str | None  # exact decimal text, or the text; None: see quality
    unit: str
    quality: str
    time: str | None  # ISO 8601, UTC, where the frame has one

    def as_dict(self) -> dict[str, str | None]:
        """Return the fields for --json."""
        return asdict(self)


class Values:
    """Turns the readings of one protocol into Values."""

    def __init__(self, protocol: str, *, identities: bool = False) -> None:
        self._hidden = set() if identities else _PERSONAL.get(protocol, set())
        self._is_latin = protocol == "mbus"
        self._key = secrets.token_bytes(16)  # a pseudonym holds within one run

    def of(self, reading: Reading) -> list[Value]:
        """Return one Value for each point, in the reading's order."""
        times = reading.times or [None] * len(reading.points)
        rows = zip(reading.points, reading.values, reading.quality, times, strict=True)
        return [
            Value(
                str(point.code),
                point.name,
                self._text(str(point.code), value, point.exponent),
                point.unit,
                QUALITY_NAMES[quality],
                _iso(time),
            )
            for point, value, quality, time in rows
        ]

    def _text(self, code: str, value: int | bytes | None, exponent: int) -> str | None:
        if value is None:
            return None
        if code in self._hidden:
            told = value if isinstance(value, bytes) else str(value).encode()
            return "pseudonym-" + hmac.new(self._key, told, hashlib.sha256).hexdigest()[:16]
        if isinstance(value, int):
            return decimal_text(value, exponent)
        # M-Bus texts are of ISO 8859-1; other octets that are no ASCII are an identity or the like
        text = value.decode("latin-1")
        is_text = text.isprintable() and (text.isascii() or self._is_latin)
        return text if is_text else value.hex()


def _iso(time: int | None) -> str | None:
    if time is None:
        return None
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
