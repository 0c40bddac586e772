"""The journal's figures: what a byte costs the flash, how long a block lives, how far 1 MB goes.

A 1 MB flash of 4 KB blocks under the real littlefs or the ring, the journal at its default size
and full, so that each new segment costs an old one: what wears most. One record a minute, of 512
bytes in the mean (256 to 768: with all alike, segments come round to the same blocks, which no
life of a gateway does); a life is 100,000 erases of the block that is erased most. littlefs moves
a directory after 100 erases, so in a short life one block looks worn by nothing else: hence up to
320,000 records, 222 days.
"""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.figure import Figure

ROOT = Path(__file__).resolve().parent.parent.parent
_SERIES = ROOT.parent / "shared" / "bench-data" / "uci_house_1min.csv"
_BLOCKS = 256
_BYTES = 512 * 1024  # journal.size_kb as it comes
_PAYLOAD = 496  # in the mean
_SPREAD = 256
_OPEN = 256  # of the open blocks at an average minute
_CYCLES = 100_000
_MINUTES = 365 * 24 * 60
_WARM = 3000  # until the journal is full and turns over
_DECIMALS = (3, 3, 2, 1, 0, 0, 0, 0)  # of the series: kW, kvar, V, A, and Wh


def _live(name: str, records: int, snapshots: bool) -> tuple[float, float, float]:
    """Return bytes programmed and erased for a byte of payload, and years of the hottest block."""
    from agent.journal import Journal
    from agent.record import EVENT
    from tests.fakes.virtual_meters import Random
    from tests.system.journal_worlds import WORLDS

    world: Any = WORLDS[name](blocks=_BLOCKS, segments=0)
    flash = world.fresh()
    ground = world.mount(flash)
    journal = Journal(ground, lambda: 1, _BYTES)
    journal.start()
    data = bytes(range(256)) * 4
    random = Random(4)
    payload = 0
    programmed = erased = 0
    wear = [0] * _BLOCKS
    flash.read_size = 1024 if flash.program_size > 32 else 128
    for i in range(_WARM + records):
        if i == _WARM:
            programmed, erased, wear = flash.programmed, flash.erased, list(flash.wear)
            payload = 0
        size = _PAYLOAD - _SPREAD + random(2 * _SPREAD + 1)
        payload += size
        journal.append(EVENT, data, 0, size)
        if snapshots:
            journal.save_open(i + 1, [(0, data, 0, _OPEN)])
        for _ in range(3):
            journal.housekeep(0, True)
    if journal.degraded or journal.errors or not journal.lost_last:
        raise RuntimeError(f"{name}: not the life to be measured: {journal.errors} errors")
    hottest = max(now - then for now, then in zip(flash.wear, wear, strict=True))
    return (
        (flash.programmed - programmed) / payload,
        (flash.erased - erased) / payload,
        _CYCLES / (hottest / records * _MINUTES),
    )


def _rows() -> Iterator[tuple[int, tuple[int, ...]]]:
    with _SERIES.open() as file:
        for row in list(csv.reader(file))[1:]:
            values = [round(float(v) * 10**d) for v, d in zip(row[1:], _DECIMALS, strict=True)]
            yield int(row[0]) * 1000, tuple(values)


def _autonomy(size: int) -> Figure:
    """Return for how many days 1 MB holds the readings of an 8-quantity meter."""
    from agent.codec import Block
    from agent.record import OVERHEAD

    block = Block(len(_DECIMALS), size)
    sealed: list[int] = []
    count = 0
    quality = bytes(len(_DECIMALS))
    block.open(b"\1\2\3\4", 0, 1, 7)
    for at_ms, values in _rows():
        if not block.add(at_ms, values, quality):
            sealed.append(block.seal() + OVERHEAD)
            block.open(b"\1\2\3\4", 0, 1, 7)
            block.add(at_ms, values, quality)
        count += 1
    count -= block.count  # of whole blocks only
    used = room = segments = 0
    for length in sealed:  # records are not split between segments
        if length > room:
            segments += 1
            room = 4096
        room -= length
        used += length
    days = (count / 1440) * (1 << 20) / (segments * 4096)
    return Figure(
        f"autonomy in 1 MB, 8 quantities a minute, blocks of {size}",
        days,
        "days",
        f"{count:,} readings of a house, block.size {size}, {used / count:.2f} bytes each",
    )


def _stall(name: str) -> Figure:
    """Return how long flash work keeps a Pico from a Linky that never pauses for long."""
    from tests.system.test_quiet_flash import RP2, _World

    world: Any = _World(name, RP2)
    world.run(300)
    lost, forced = sum(world.lost()), world.app.quiet.forced
    return Figure(
        f"{name}: longest flash work while meters talk",
        world.longest_us / 1000,
        "ms",
        f"300 s, Linky and Modbus at 9600 baud: {lost} bytes lost, {forced} times forced, "
        f"waited {world.app.quiet.waited_ms} ms at most",
    )


def run() -> list[Figure]:
    """Measure; see the module's text."""
    sys.path.insert(0, str(ROOT / "host_tools" / "shim"))
    figures = []
    for name, plain, saved in (
        ("files-esp32", 60_000, 60_000),
        ("files-rp2", 320_000, 80_000),
        ("ring-esp32", 20_000, 12_000),
        ("ring-rp2", 20_000, 12_000),
    ):
        programmed, erased, years = _live(name, plain, False)
        how = f"{plain:,} records of 512 bytes in the mean, 1 MB, full"
        figures.append(Figure(f"{name}: programmed", programmed, "B per B", how))
        figures.append(Figure(f"{name}: erased", erased, "B per B", how))
        figures.append(Figure(f"{name}: hottest block", years, "years", how + ", one a minute"))
        _, _, years = _live(name, saved, True)
        how = f"the same, {saved:,} records, and the open blocks saved every minute"
        figures.append(Figure(f"{name}: hottest block with saves", years, "years", how))
    figures += [_stall(name) for name in ("ring-rp2", "files-rp2")]
    if _SERIES.exists():
        figures += [_autonomy(size) for size in (992, 2000)]  # as it comes; larger
    return figures
