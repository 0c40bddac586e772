"""The block codec: bytes beside its rivals, and what a value costs. Also draws the picture.

The series are CSVs of a folder beside the project (SERIES names another); without them a day of
the demonstration's house stands in, and the names of the figures say so.
"""

import json
import math
import os
import random
import subprocess
import tempfile
import time
from pathlib import Path

from agent.codec import decode
from agent.codec_read import Decoded
from agent.codec_rows import Rows
from host_tools.codec.fast import speed_up
from host_tools.codec.series import Series, blocks, read_csv
from host_tools.codec.stats import OURS, measure
from host_tools.packing.image import compile_all
from tests.bench.figure import Figure
from tests.on_micropython import interpreter

ROOT = Path(__file__).resolve().parent.parent.parent
PICTURE = ROOT / "agent" / "bytes_per_reading.svg"
_FOLDER = ROOT.parent / "shared" / "bench-data"
_ROWS = 4800
_SIZES = (60, 240, 1000)
_TIMED_ROWS = 720
_BARS = {
    "60": "; bars: 0.70 alone, 0.62 with a state shared by gateway and collector (none is)",
    "240": "; bars: 0.80 alone, 0.74 with a state shared by gateway and collector (none is)",
}
_SHOWN = {
    "senml": "SenML JSON",
    "cbor": "CBOR",
    "lzma": "CSV, lzma",
    "zlib": "CSV, zlib",
    "varint": "varint deltas",
    "rice": "Rice",
    "pcodec": "pcodec",
    OURS: "Éclor block",
}


def series_of_the_bench() -> list[Series]:
    """Return the first rows of each CSV of the folder."""
    folder = Path(os.environ.get("SERIES", _FOLDER))
    return [read_csv(path, _ROWS) for path in sorted(folder.glob("*.csv"))]


def made_up() -> Series:
    """Return a day of a meter of eight quantities that nobody measured."""
    rows: list[tuple[int, list[int | None]]] = []
    energy, power, seed = 12_345_678, 1500, 1
    for i in range(_TIMED_ROWS):
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        noise = seed >> 16
        power += noise % 41 - 20 + (900 if i % 180 == 60 else -900 if i % 180 == 90 else 0)
        energy += power // 60
        voltage = 2300 + noise % 13
        values = [power, noise % 90, voltage, power * 100 // voltage, 0, noise % 2, 17, energy]
        rows.append((1_700_000_000_000 + 60_000 * i, list(values)))
    return Series("made-up", ["t", *"pqviabce"], [0] * 9, rows)


def _costs(series: Series, kernel: str, folder: str) -> tuple[float, float]:
    lines = "".join(json.dumps(row) + "\n" for row in series.rows[:_TIMED_ROWS])
    done = subprocess.run(
        [interpreter(), "-X", "heapsize=4m", "tests/bench/codec_costs.py", kernel, folder],
        cwd=ROOT,
        env={**os.environ, "MICROPYPATH": ".frozen"},
        input=lines,
        capture_output=True,
        text=True,
        check=True,
    )
    by_json, by_codec = done.stdout.split()
    return float(by_json), float(by_codec)


# A viper function that calls another, and one that holds what the other does.
_CALLS = """
import time
from array import array
@micropython.viper
def inner(words: ptr32, at: int, more: int) -> int:
    return words[at] + more
@micropython.viper
def calling(words, count: int) -> int:
    total = 0
    while count:
        count -= 1
        total = int(inner(words, count & 7, total)) & 255
    return total
@micropython.viper
def holding(words: ptr32, count: int) -> int:
    total = 0
    while count:
        count -= 1
        total = (words[count & 7] + total) & 255
    return total
words = array("I", range(8))
found = []
for function in (calling, holding):
    least = 1 << 30
    for _ in range(30):
        begun = time.ticks_us()
        function(words, 10000)
        least = min(least, time.ticks_diff(time.ticks_us(), begun))
    found.append(least / 10000)
print(found[0] - found[1])
"""


def _call_cost() -> Figure:
    """Return what the kernel would pay for each call, were it in several functions."""
    done = subprocess.run(
        [interpreter(), "-c", _CALLS], capture_output=True, text=True, check=True
    )
    how = "MicroPython unix: why the kernel of the codec is one function"
    return Figure("a call between viper functions", float(done.stdout), "us", how)


def _noise() -> Series:
    """Return what only packed bits hold: eight quantities of noise."""
    dice = random.Random(1)
    rows: list[tuple[int, list[int | None]]] = [
        (60_000 * i, [dice.getrandbits(12) for _ in range(8)]) for i in range(480)
    ]
    return Series("noise, packed", ["t", *"abcdefgh"], [0] * 9, rows)


def _decoding(series: Series, rows: int) -> float:
    """Return values decoded a second, of blocks of so many rows."""
    made = blocks(series, rows)
    least = math.inf
    for _ in range(3):
        begun = time.process_time()
        for data in made:
            decode(data)
        least = min(least, time.process_time() - begun)
    return len(series.rows) * (len(series.names) - 1) / least


def picture(found: dict[str, dict[str, dict[str, float]]], size: int) -> str:
    """Return an SVG: bytes per reading by codec, one group a set, on a logarithmic scale."""
    bar, left, top, width = 13, 150, 48, 560
    groups = list(found.items())
    height = top + len(groups) * ((len(_SHOWN) * bar) + 26) + 12
    text = 'font-family="system-ui,sans-serif" font-size="11"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 70}" height="{height}" '
        f'viewBox="0 0 {left + width + 70} {height}">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="12" y="24" {text} font-weight="600" fill="#222">Bytes per reading, '
        f"{size} readings a block, logarithmic</text>",
    ]
    y = top
    for name, by_size in groups:
        totals = by_size[str(size)]
        most = max(totals.values())
        least = min(totals.values()) / 1.5
        parts.append(f'<text x="12" y="{y}" {text} fill="#222">{name}</text>')
        y += 6
        for codec, label in _SHOWN.items():
            share = _log(totals[codec] / least) / _log(most / least)
            colour = "#0b7a4b" if codec == OURS else "#b8c0c8"
            parts.append(
                f'<text x="{left - 6}" y="{y + 10}" text-anchor="end" {text} fill="#444">{label}'
                f'</text><rect x="{left}" y="{y + 1}" width="{share * width:.0f}" '
                f'height="{bar - 3}" fill="{colour}"/><text x="{left + share * width + 5:.0f}" '
                f'y="{y + 10}" {text} fill="#444">{totals[codec]:.2f}</text>'
            )
            y += bar
        y += 20
    return "\n".join([*parts, "</svg>", ""])


def _log(ratio: float) -> float:
    return math.log(ratio)


def run() -> list[Figure]:
    """Measure sizes on all series, times on the one with the most columns."""
    sets = series_of_the_bench()
    what = f"first {_ROWS:,} rows of {len(sets)} sets, whole blocks, each decoded and compared"
    if not sets:
        sets, what = [made_up()], "no series here: a made-up meter"
    found = measure(sets, _SIZES)
    figures = [
        Figure(
            f"ours / pcodec, {size} rows",
            ratio,
            "",
            f"geometric mean, {what}{_BARS.get(size, '')}",
        )
        for size, ratio in found["geometric_mean"].items()
    ]
    for name, by_size in found["sets"].items():
        for size, totals in by_size.items():
            ratio = totals[OURS] / totals["pcodec"]
            figures.append(
                Figure(f"{name}, {size} rows", totals[OURS], "B/row", f"{ratio:.3f} of pcodec")
            )
    if what.startswith("first"):
        PICTURE.write_text(picture(found["sets"], 60))
    widest = max(sets, key=lambda series: len(series.names))
    with tempfile.TemporaryDirectory() as folder:
        for name, data in compile_all(Path(folder) / "made").items():
            path = Path(folder) / "slot" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        asked = [("viper", series) for series in sets] + [("plain", widest)]
        for kernel, series in asked:
            by_json, by_codec = _costs(series, kernel, f"{folder}/slot")
            figures.append(
                Figure(
                    f"encoding, {kernel}",
                    round(by_codec / by_json, 3),
                    "x json.dumps",
                    f"{by_codec:.2f} against {by_json:.2f} us a value, MicroPython unix, "
                    f"{series.name}",
                )
            )
    figures.append(
        Figure(
            "decoding, plain", round(_decoding(widest, 240)), "values/s", f"CPython, {widest.name}"
        )
    )
    speed = round(_decoding(_noise(), 60))
    figures.append(Figure("decoding, packed bits", speed, "values/s", "CPython, noise"))
    usual = Decoded.reader
    if speed_up():
        for series in sets:
            for size in _SIZES[:2]:
                speed = round(_decoding(series, size))
                how = f"numba, one core, {series.name}"
                figures.append(Figure(f"decoding, {size} rows", speed, "values/s", how))
    Decoded.reader = usual
    figures.append(_call_cost())
    rows = Rows(36)
    size = 4 * len(rows.state) + 2 * len(rows.slots)
    figures.append(
        Figure("state of a channel", size / 37, "bytes", "36 points and the time, arrays alone")
    )
    return figures
