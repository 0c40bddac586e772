"""What arrives, made into things that may be believed, or refused with the reason.

Not storage: nothing here touches a database. Topics, JSON members and records as agent/README.md
says; every member is checked for type and range, because a broker may carry anything.

    message = Message("eclor/1/gw-ecole/rec", payload)
    envelope = open_record(message.payload)     # Refused when it is no whole record
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from agent.record import OVERHEAD, PAYLOAD_MAX, BadRecord, check_record

RECORD, BIRTH, STATE, WILL = "rec", "birth", "state", "will"
_LEAVES = (RECORD, BIRTH, STATE, WILL)
_TOPIC = re.compile(r"eclor/1/([a-z0-9][a-z0-9_-]{0,63})/(\w+)")
# A gateway's inventory of 250 meters with all their points stays below this.
JSON_MAX = 64 * 1024
U32_MAX = (1 << 32) - 1
MS_MAX = 1 << 53  # beyond any date that matters, and exact in every JSON reader


class Refused(Exception):
    """The input is not believed: quarantine it with this reason."""


@dataclass(frozen=True)
class Message:
    """One MQTT message; refused: why it is not believed, whatever it says (seals.py)."""

    topic: str
    payload: bytes
    refused: str = ""

    def address(self) -> tuple[str, str]:
        """Return (gateway, leaf of the topic); Refused when the topic is not ours."""
        match = _TOPIC.fullmatch(self.topic)
        if not match or match[2] not in _LEAVES:
            raise Refused(f"topic {self.topic[:80]!r} is not of a gateway")
        if self.refused:
            raise Refused(self.refused)
        return match[1], match[2]


@dataclass(frozen=True)
class Envelope:
    """A whole, undamaged record; what its payload says is not looked at."""

    kind: int
    seq: int
    journal: int
    payload: bytes
    crc: int
    size: int


def open_record(data: bytes) -> Envelope:
    """Check one record of the wire; Refused for anything but exactly one, CRC included."""
    if len(data) > PAYLOAD_MAX + OVERHEAD:
        raise Refused(f"{len(data)} bytes, a record has at most {PAYLOAD_MAX + OVERHEAD}")
    try:
        kind, seq, journal, start, end = check_record(data, 0, len(data))
    except BadRecord as error:
        raise Refused(f"no record: {error}") from None
    if not seq:
        raise Refused("record number 0, they count from 1")
    crc = int.from_bytes(data[-4:], "big")
    return Envelope(kind, seq, journal, bytes(data[start:end]), crc, len(data))


def read_json(data: bytes, limit: int = JSON_MAX) -> dict[str, Any]:
    """Return the JSON object in data; Refused when it is none or longer than limit."""
    if len(data) > limit:
        raise Refused(f"JSON of {len(data)} bytes, {limit} are taken")
    try:
        tree = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refused(f"no JSON: {str(error)[:80]}") from None
    if not isinstance(tree, dict):
        raise Refused("JSON, but no object")
    return tree


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def whole(tree: dict[str, Any], key: str, low: int, high: int, default: int | None = None) -> int:
    """Return the integer member `key` within low .. high; Refused otherwise."""
    found = tree.get(key, default)
    if type(found) is not int or not low <= found <= high:
        raise Refused(f"{key}: {str(found)[:40]!r}, an integer of {low} .. {high} is expected")
    return found


def words(tree: dict[str, Any], key: str, default: str | None = None, limit: int = 500) -> str:
    """Return the text member `key`; Refused when absent, another type or too long.

    A NUL is refused as well: PostgreSQL cannot hold one.
    """
    found = tree.get(key, default)
    if not isinstance(found, str) or len(found) > limit or "\0" in found:
        raise Refused(f"{key}: {str(found)[:40]!r}, text of at most {limit} is expected")
    return found


@dataclass(frozen=True)
class PointRow:
    """One point of a schema."""

    name: str
    unit: str
    exponent: int
    kind: int
    code: str


@dataclass(frozen=True)
class MeterRow:
    """One meter of a schema; its place in the list is its index in blocks."""

    name: str
    protocol: str
    map: str
    interval_s: int
    personal: bool
    points: tuple[PointRow, ...]


@dataclass(frozen=True)
class Schema:
    """What the blocks of one configuration mean."""

    hash: str
    site: str
    meters: tuple[MeterRow, ...]
    text: str  # canonical JSON of the meters, to compare


def read_schema(tree: Any, gateway: str) -> Schema:
    """Check a SCHEMA record's JSON or a birth's `schema`; Refused with what is wrong."""
    if not isinstance(tree, dict):
        raise Refused("schema: an object is expected")
    found_hash = words(tree, "config")
    if not re.fullmatch("[0-9a-f]{8}", found_hash):
        raise Refused(f"config: {found_hash[:20]!r}, 8 hex digits are expected")
    if words(tree, "gateway", gateway) != gateway:
        raise Refused(f"schema of {tree['gateway']!r} on the topic of {gateway!r}")
    meters = tree.get("meters")
    if not isinstance(meters, list) or len(meters) > 256:
        raise Refused("meters: a list of at most 256 is expected")
    rows = tuple(_read_meter(meter) for meter in meters)
    if len({row.name for row in rows}) < len(rows):
        raise Refused("meters: a name is used twice")
    text = json.dumps(meters, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return Schema(found_hash, words(tree, "site", ""), rows, text)


def _read_meter(tree: Any) -> MeterRow:
    if not isinstance(tree, dict):
        raise Refused("meters: objects are expected")
    points = tree.get("points")
    if not isinstance(points, list) or len(points) > 4000:
        raise Refused("points: a list is expected")
    personal = tree.get("personal", False)
    if not isinstance(personal, bool):
        raise Refused("personal: true or false is expected")
    rows = tuple(_read_point(point) for point in points)
    if len(set(rows)) < len(rows):
        raise Refused("points: one is listed twice")
    return MeterRow(
        words(tree, "name"),
        words(tree, "protocol", ""),
        words(tree, "map", ""),
        whole(tree, "interval_s", 0, 1 << 31, 0),
        personal,
        rows,
    )


def _read_point(row: Any) -> PointRow:
    if not isinstance(row, list) or len(row) not in (5, 6):
        raise Refused("points: rows of name, unit, exponent, kind, code are expected")
    if len(row) == 6:  # what the gateway does to the values; the schema's text keeps it
        told = row[5]
        if not isinstance(told, dict):
            raise Refused("points: an object is expected behind the code")
        whole(told, "resolution", 1, 1 << 63, 1)
        whole(told, "deadband", 0, 1 << 63, 0)
        whole(told, "silence_s", 0, 1 << 31, 0)
    tree = dict(zip(("name", "unit", "exponent", "kind", "code"), row, strict=False))
    return PointRow(
        words(tree, "name"),
        words(tree, "unit"),
        whole(tree, "exponent", -18, 18),
        whole(tree, "kind", 0, 2),
        words(tree, "code"),
    )
