"""What else saves bytes: full blocks off line, a resolution, a deadband.

Off line: App's policy (agent/sealing.py) on the real journal, a flash of 1 MB and the readings of
a house, 8 quantities a minute, the open blocks saved each minute; beside it the same life in which
each minute is a block of its own, as block.flush_s 60 asks for on line.
"""

import sys
from pathlib import Path
from typing import Any

from tests.bench.bench_journal import _DECIMALS, _SERIES, _rows
from tests.bench.figure import Figure

ROOT = Path(__file__).resolve().parent.parent.parent
_BLOCKS = 256
_MINUTES = 1500
_ROWS = 4800
_HELD_MAX = 4000  # agent/sealing.py
_POINTS = len(_DECIMALS)


def _off_line(
    rows: list[Any], world_name: str, meters: int, holds: bool
) -> tuple[float, float, float]:
    """Return bytes a reading, erases a minute, erases of the hottest block a day."""
    from agent.codec import Block
    from agent.journal import Journal
    from agent.record import BLOCK, OVERHEAD
    from tests.system.journal_worlds import WORLDS

    world: Any = WORLDS[world_name](blocks=_BLOCKS, segments=0)
    flash = world.fresh()
    journal = Journal(world.mount(flash), lambda: 1, 1 << 20)
    journal.start()
    blocks = [Block(_POINTS, 992) for _ in range(meters)]
    begun = [0] * meters
    quality = bytes(_POINTS)
    sealed = [0, 0]  # bytes, readings
    erased = flash.erased

    def seal(i: int) -> None:
        start, end = blocks[i].close()
        journal.append(BLOCK, blocks[i].data, start, end)
        sealed[0] += end - start + OVERHEAD
        sealed[1] += blocks[i].count
        blocks[i].count = 0

    def saved() -> list[Any]:
        return [(i, b.data, *b.close()) for i, b in enumerate(blocks) if b.count]

    for minute in range(_MINUTES):
        for i, block in enumerate(blocks):
            at_ms, values = rows[(minute + i * len(rows) // meters) % len(rows)]
            if block.count and (at_ms < block.last_at_ms or not block.add(at_ms, values, quality)):
                seal(i)
            if not block.count:
                block.open(b"\1\2\3\4", i, 1, 7)
                begun[i] = minute
                block.add(at_ms, values, quality)
            if not holds:
                seal(i)
        while holds and sum(end - start for _, _, start, end in saved()) > _HELD_MAX:
            seal(min((i for i in range(meters) if blocks[i].count), key=begun.__getitem__))
        journal.sync()
        journal.save_open(minute + 1, saved())
        for _ in range(3):
            journal.housekeep(0, True)
    return (
        sealed[0] / sealed[1],
        (flash.erased - erased) / 4096 / _MINUTES,
        max(flash.wear) / (_MINUTES / 1440),
    )


def _thinned(rows: list[Any], settings: list[tuple[str, str]]) -> float:
    """Return bytes a reading in blocks of 240, settings: resolution and deadband by column."""
    from agent.codec import Block
    from agent.thin import Thin
    from drivers.reading import GAUGE, Point

    points = [Point(f"p{i}", "", -places, GAUGE, 0) for i, places in enumerate(_DECIMALS)]
    entries = [
        {"points": [f"p{i}"], "resolution": step, "deadband": band, "silence_s": 3600}
        for i, (step, band) in enumerate(settings)
        if step or band
    ]
    thin = Thin(points, entries)
    block = Block(_POINTS, 4000)
    total = 0
    quality = bytes(_POINTS)
    for number, (at_ms, read) in enumerate(rows):
        values = [thin.coarse(i, value) for i, value in enumerate(read)]
        thin.hold(values, quality, at_ms & 0x3FFFFFFF)
        if not number % 240:
            total += block.seal() if number else 0
            block.open(b"\1\2\3\4", 0, 1, 7)
        block.add(at_ms, values, quality)
    return (total + block.seal()) / len(rows)


def run() -> list[Figure]:
    """Measure; see the module's text. Without the series there is nothing to measure."""
    sys.path.insert(0, str(ROOT / "host_tools" / "shim"))
    if not _SERIES.exists():
        return []
    rows = [row for row, _ in zip(_rows(), range(_ROWS), strict=False)]
    figures = []
    for world in ("files-esp32", "ring-esp32"):
        for meters in (1, 12):
            small = _off_line(rows, world, meters, False)
            full = _off_line(rows, world, meters, True)
            name = f"off line, {world}, meters: {meters}"
            how = "sealed each minute {}, held {}"
            figures += [
                Figure(
                    f"{name}, bytes",
                    small[0] / full[0],
                    "x less",
                    how.format(f"{small[0]:.2f} B a reading", f"{full[0]:.2f}"),
                ),
                Figure(
                    f"{name}, erases",
                    full[1] / small[1],
                    "x",
                    how.format(f"{small[1]:.2f} a minute", f"{full[1]:.2f}"),
                ),
                Figure(
                    f"{name}, hottest block",
                    full[2] / small[2],
                    "x",
                    how.format(f"{small[2]:.1f} erases a day", f"{full[2]:.1f}"),
                ),
            ]
    whole = _thinned(rows, [])
    # kW, kvar, V, A, then three meters of Wh a minute and one more
    coarse = [("0.01", ""), ("0.01", ""), ("1", "")]
    bands = [("", "0.02"), ("", "0.02"), ("", "0.5"), ("", "0.4")]
    for name, settings in (
        ("resolution of 10 W, 10 var, 1 V", coarse),
        ("deadband of 20 W, 20 var, 0.5 V, 0.4 A", bands),
    ):
        found = _thinned(rows, settings)
        how = f"{whole:.2f} B a reading as read, {found:.2f} so, 240 readings a block"
        figures.append(Figure(name, found / whole, "of the bytes", how))
    return figures
