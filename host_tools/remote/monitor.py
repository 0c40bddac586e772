"""What gateways do, seen from beside them: their messages on the broker, their lines on a cable.

Nothing is sent to a gateway, so the agent is not disturbed. Not here: the terminal
(commands/monitor.py).

    picture = Picture()
    picture.take("eclor/1/gw-ecole/state", payload)
    for row in picture.rows(): print(row.gateway, row.meter, row.values, row.state)
    Line.of("12 W bus: rs485-1: heat is silent")        # uptime, severity, who, text
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from agent.codec import BadBlock, decode
from agent.mac import TAG_BYTES
from agent.record import BLOCK, BadRecord, check_record
from drivers.reading import decimal_text

SEVERITIES = {"D": "debug", "I": "info", "W": "warn", "E": "error"}
_LINE = re.compile(r"(\d+) ([DIWE]) ([^:]+): (.*)")
_TOPIC = re.compile(r"eclor/1/([^/]+)/(birth|state|rec|will)")


@dataclass(frozen=True)
class Line:
    """One line of a gateway's log; what is none has severity "" and all its text."""

    at_s: int
    severity: str
    who: str
    text: str

    @classmethod
    def of(cls, line: str) -> "Line":
        """Take a line apart."""
        match = _LINE.fullmatch(line.strip())
        if not match:
            return cls(0, "", "", line.strip())
        return cls(int(match[1]), SEVERITIES[match[2]], match[3], match[4])


@dataclass
class _Gateway:
    points: list[tuple[str, list[tuple[str, str, int]]]] = field(default_factory=list)
    values: dict[int, dict[str, str]] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    is_online: bool = True


@dataclass(frozen=True)
class Row:
    """One meter as a screen shows it."""

    gateway: str
    meter: str
    state: str
    answers: int
    faults: int  # no answer, damaged, refused
    values: dict[str, str]  # name -> "230.1 V", of its newest reading that has left


class Picture:
    """The newest of every gateway that is heard."""

    def __init__(self) -> None:
        self._gateways: dict[str, _Gateway] = {}
        self.refused = 0  # messages that were no sense

    def take(self, topic: str, payload: bytes) -> None:
        """Take one message of the broker."""
        match = _TOPIC.fullmatch(topic)
        if not match:
            return
        gateway = self._gateways.setdefault(match[1], _Gateway())
        try:
            if match[2] == "rec":
                self._record(gateway, payload)
                return
            # A gateway with a key proves its words: 16 bytes follow the JSON.
            tree, _ = json.JSONDecoder().raw_decode(payload.decode(errors="replace"))
            if match[2] == "birth":
                self._birth(gateway, tree)
            elif match[2] == "state":
                gateway.state = dict(tree)
                gateway.is_online = True
            else:
                gateway.is_online = bool(tree["online"])
        except (ValueError, KeyError, TypeError, IndexError, BadRecord, BadBlock):
            self.refused += 1

    def _birth(self, gateway: _Gateway, tree: dict[str, Any]) -> None:
        gateway.is_online = True
        gateway.points = [
            (meter["name"], [(p[0], p[1], p[2]) for p in meter["points"]])
            for meter in tree["schema"]["meters"]
        ]

    def _record(self, gateway: _Gateway, payload: bytes) -> None:
        try:
            kind, _, _, start, end = check_record(payload, 0, len(payload))
        except BadRecord:  # with 16 bytes of proof behind it, or none at all
            kind, _, _, start, end = check_record(payload, 0, len(payload) - TAG_BYTES)
        if kind != BLOCK:
            return
        block = decode(payload[start:end])
        if not block.rows or block.meter >= len(gateway.points):
            return
        values = block.rows[-1][1]
        gateway.values[block.meter] = {
            name: f"{_text(value, exponent)} {unit}".strip()
            for (name, unit, exponent), value in zip(
                gateway.points[block.meter][1], values, strict=True
            )
        }

    def rows(self) -> list[Row]:
        """Return a row per meter, by gateway."""
        rows = []
        for name, gateway in sorted(self._gateways.items()):
            meters = gateway.state.get("meters", [])
            for i, meter in enumerate(meters):
                faults = meter["no_reply"] + meter["bad_frames"] + meter["refused"]
                state = meter["state"] if gateway.is_online else "off line"
                values = gateway.values.get(i, {})
                rows.append(Row(name, meter["name"], state, meter["answers"], faults, values))
        return rows

    def heads(self) -> list[str]:
        """Return a line per gateway: uplink, what waits, heap."""
        lines = []
        for name, gateway in sorted(self._gateways.items()):
            state = gateway.state
            if not state:
                continue
            first, after, _ = state["records"]
            lines.append(
                f"{name}: {state['uplink']}, {after - first} records, "
                f"journal {state['journal'] / 10:.0f} %, heap {state['heap'] // 1024} KB"
            )
        return lines


def _text(value: object, exponent: int) -> str:
    if value is None:
        return "-"
    return decimal_text(value, exponent) if isinstance(value, int) else str(value)
