"""What a live page may know of a running demonstration, and the buttons it may press.

Not the page (live.py draws it) and not the demonstration (host_tools/demo/ is one): the seam
between them, so that either can be tested without the other. Every attribute and method
may be used from any thread, returns at once, and raises nothing.

    def serve(view: View, port: int) -> None: ...      # live.py, blocks until Ctrl-C
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class PointView:
    """One point of a meter: `integer * 10 ** exponent` in `unit`."""

    name: str
    unit: str
    exponent: int
    kind: str  # "gauge", "counter" or "state"


@dataclass(frozen=True)
class MeterView:
    """One meter of the site, as configured; fixed while the demonstration runs."""

    name: str
    protocol: str  # "modbus", "tic", "level" ...
    map: str  # the meter's make: the name of its file in drivers/maps/
    port: str  # the line it hangs on
    line: str  # that line in words: "9600 8N1, RS-485"
    interval_s: int
    points: tuple[PointView, ...]


@dataclass(frozen=True)
class Figures:
    """The numbers of one instant. None: not known yet."""

    running_s: float = 0.0
    # "on" or "cut"; "up" or "cut"; "clean" or "garbled"
    power: str = "on"
    network: str = "up"
    line: str = "clean"
    # the chain, each "up" or a sentence that says what is absent: line, gateway, broker, collector
    parts: dict[str, str] = field(default_factory=dict)
    # from the gateway itself (its birth and state messages)
    runtime: str | None = None  # interpreter and version, such as "micropython 1.29.0"
    journal_permille: int | None = None
    in_flight: int | None = None
    heap_bytes: int | None = None
    heap_peak_bytes: int | None = None
    # from the database
    stored: int = 0  # readings
    last_ack_s: float | None = None  # seconds since the last acknowledgement
    bytes_per_reading: float | None = None
    senml_bytes_per_reading: float | None = None
    # from the ledger and the database (host_tools/sim/oracle.py)
    answered: int = 0  # readings that left the meters
    lost: int = 0
    duplicated: int = 0
    altered: int = 0
    declared: dict[str, int] = field(default_factory=dict)  # cause: how many


class View(Protocol):
    """A running demonstration."""

    site: str
    gateway: str
    meters: Sequence[MeterView]

    def figures(self) -> Figures:
        """Return the newest numbers; they are computed about once a second."""

    def curve(self, meter: str, point: str, seconds: int) -> list[tuple[float, float | None]]:
        """Return the stored values of the last seconds, oldest first.

        Pairs of (seconds since 1970 UTC, value in the point's unit). None in place of the
        value marks a declared gap: break the line there.
        """

    def log_lines(self, count: int) -> list[str]:
        """Return the newest lines, oldest first: the gateway's own and the supervisor's."""

    def cut_power(self) -> None:
        """Kill the gateway at once; its power returns after about 3 s."""

    def cut_network(self) -> None:
        """Part the gateway from the broker for about 10 s."""

    def garble_line(self) -> None:
        """Damage bytes on the serial lines for about 3 s."""
