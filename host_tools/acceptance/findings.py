"""What an acceptance test has found: checks, meters, the verdict.

Not here: how it is found (standing.py, running.py), and how it is shown (paper.py).
"""

from dataclasses import asdict, dataclass, field
from typing import Any

GOOD, NOTE, FAILED, SKIPPED = "good", "note", "failed", "not tested"
UPLINK = "uplink"  # the check without which nothing is accepted
_LATE = 0.7  # of the time allowed for an answer: beyond it a warm day may be too slow


@dataclass
class Check:
    """One thing looked at; `what` and `hints` are sentences that language.py translates."""

    name: str
    state: str
    what: str
    hints: list[str] = field(default_factory=list)


@dataclass
class MeterResult:
    """What came of asking one meter so many times."""

    name: str
    map: str
    line: str
    reads: int = 0
    whole: int = 0
    silent: int = 0
    damaged: int = 0
    reply_ms: list[float] = field(default_factory=list)
    allowed_ms: int = 0
    values: list[tuple[str, str, str]] = field(default_factory=list)  # name, value, unit
    series: dict[str, list[float]] = field(default_factory=dict)  # name -> readings


@dataclass
class Report:
    """All of it; JSON as it is, and so signed."""

    gateway: str
    site: str
    board: str
    serial: str
    claim: str
    at: str
    technician: str = ""
    firmware: str = ""
    runtime: str = ""
    config: str = ""
    without_uplink: bool = False  # a person has said that it need not be proved
    checks: list[Check] = field(default_factory=list)
    meters: list[MeterResult] = field(default_factory=list)

    def add(self, name: str, state: str, what: str, *hints: str) -> None:
        """Add a check."""
        self.checks.append(Check(name, state, what, list(hints)))

    @property
    def is_accepted(self) -> bool:
        """Whether nothing failed, and the uplink was proved or left out on purpose."""
        has_failed = any(check.state == FAILED for check in self.checks)
        return not has_failed and (self._has_uplink or self.without_uplink)

    @property
    def verdict(self) -> str:
        """The verdict as a sentence, which language.py translates."""
        if self.is_accepted and not self._has_uplink:
            return "accepted without its uplink"
        if self.is_accepted:
            return "accepted"
        if any(check.state == FAILED for check in self.checks):
            return "not accepted"
        return "not accepted: uplink not proved"

    @property
    def _has_uplink(self) -> bool:
        return any(check.name == UPLINK and check.state == GOOD for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"accepted": self.is_accepted, "verdict": self.verdict, **asdict(self)}


def hints(result: MeterResult, strays: int) -> list[str]:
    """Return what the pattern of the errors says about the line; strays: bytes while it idled."""
    found: list[str] = []
    if strays:
        _say(
            found,
            "bytes came unasked: another master, no bias resistors, or A and B swapped",
        )
    if not result.whole:
        if result.damaged:
            _say(found, "bytes come and mean nothing: wrong rate or parity, or A and B swapped")
        else:
            _say(found, "not a byte comes: look at its supply, its address, A and B")
        return found
    if result.damaged:
        _say(found, "damaged now and then: 120 ohm at both ends, shield, distance to motors")
    if result.silent:
        _say(found, "silent now and then: two masters, or a meter that is busy")
    slowest = max(result.reply_ms, default=0.0)
    if result.allowed_ms and slowest > _LATE * result.allowed_ms:
        _say(found, f"the slowest answer takes most of the {result.allowed_ms} ms allowed")
    return found


def _say(found: list[str], hint: str) -> None:
    found.append(hint)
