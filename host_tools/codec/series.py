"""Series of decimals as CSV, as integers, and as a file of blocks.

The CSV: a first column `t`, epoch seconds with up to three decimals, then columns of decimals; an
empty cell is a missing value. A column whose cells drop trailing zeros (1.5, 2 or 1.5, 2.0), lines
that end with CR LF, and some lines written otherwise (-0, +5, 007) come back as they were.

The file of blocks is what a gateway sends: one SCHEMA record, then BLOCK records
(agent/README.md), so that each block decodes alone.

    series = read_csv(Path("meter.csv"))
    data = encode(series, rows=60)
    csv_text(decode_file(data)) == Path("meter.csv").read_text()
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from agent.codec import BadBlock, Block
from agent.codec import decode as decode_block
from agent.record import BLOCK, OVERHEAD, SCHEMA, BadRecord, check_record, pack_record
from drivers.reading import GOOD, MISSING, decimal_text
from host_tools.problems import FAILED, INPUT, Problem

ROOT = Path(__file__).resolve().parents[2]
BLOCK_BYTES = 4000  # what a record's payload holds at most
_JOURNAL = 1
_HEAD = 12  # of a record; its payload's length is at 2
_TIME_DECIMALS = 3
_POINTS_MAX = 255
_SHOWN = 40  # characters of a cell in a message
_VALUE_MIN = -(1 << 63)
_VALUE_MAX = (1 << 64) - 1
_VERBATIM_MAX = 2000  # bytes of a schema that lines as they were may take
_DIGITS_MAX = 60  # of a cell
_DECIMAL = re.compile(r" *([-+]?)(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))? *")

Row = tuple[int, list[int | None]]  # ms since 1970 UTC, integers of each column's resolution


@dataclass
class Series:
    """Rows of one meter: names and decimals of all columns, the time's first."""

    name: str
    names: list[str]
    decimals: list[int]
    rows: list[Row]
    # Per column, the least decimals of a cell: trailing zeros beyond them are dropped.
    least: list[int] = field(default_factory=list)
    line_end: str = "\n"
    # Lines that csv_text() would write otherwise, by their index after the head.
    verbatim: dict[int, str] = field(default_factory=dict)


def _scaled(cell: str, decimals: int, where: str) -> int:
    found = _DECIMAL.fullmatch(cell)
    if not found or len(cell) > _DIGITS_MAX:
        shown = cell if len(cell) < _SHOWN else cell[:_SHOWN] + "..."
        raise Problem(
            f"{shown!r} is no decimal", "write digits and a point", code=INPUT, where=where
        )
    value = int(found[1] + (found[2] or "0") + (found[3] or "").ljust(decimals, "0"))
    if not _VALUE_MIN <= value <= _VALUE_MAX:
        raise Problem(
            f"a value of {value.bit_length()} bits; a block keeps 64",
            "write it in a larger unit",
            code=INPUT,
            where=where,
        )
    return value


def _lines(path: Path) -> tuple[list[str], str]:
    """Return the lines of a file, and what ends them."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"{path}: {error}", "give a CSV file", code=INPUT) from None
    line_end = "\r\n" if "\r\n" in text else "\n"
    return text.replace("\r\n", "\n").split("\n"), line_end


def read_csv(path: Path, first: int | None = None) -> Series:
    """Read a CSV, or its first rows; a Problem names the line and column that cannot be."""
    lines, line_end = _lines(path)
    names = lines[0].split(",")
    if names[0] != "t":
        raise Problem(
            f"the first column is {names[0]!r}, not t",
            "put the epoch seconds first, under t",
            code=INPUT,
            where=f"{path}:1",
        )
    if len(names) - 1 > _POINTS_MAX:
        raise Problem(
            f"{len(names) - 1} columns, a block has {_POINTS_MAX} at most",
            "split the file",
            code=INPUT,
            where=f"{path}:1",
        )
    cells = [(number, line.split(",")) for number, line in enumerate(lines[1:], 2) if line]
    cells = cells[:first] if first else cells
    for number, row in cells:
        if len(row) != len(names) or not row[0]:
            raise Problem(
                f"{len(row)} cells, the head has {len(names)}" if row[0] else "no time",
                "give every row its time and all its cells",
                code=INPUT,
                where=f"{path}:{number}",
            )
    columns = [[row[i] for _, row in cells if row[i]] for i in range(len(names))]
    decimals = [max(map(_decimals, column), default=0) for column in columns]
    if decimals[0] > _TIME_DECIMALS:
        raise Problem("a time finer than 1 ms", "round it", code=INPUT, where=str(path))
    rows: list[Row] = []
    for number, row in cells:
        where = [f"{path}:{number}, column {name}" for name in names]
        values = [
            _scaled(cell, decimals[i], where[i]) if cell else None
            for i, cell in enumerate(row[1:], 1)
        ]
        at_ms = _scaled(row[0], _TIME_DECIMALS, where[0])
        if not 0 <= at_ms < 1 << 63:
            raise Problem("a time before 1970", "t is epoch seconds", code=INPUT, where=where[0])
        rows.append((at_ms, values))
    least = [min(map(_decimals, column), default=0) for column in columns]
    series = Series(path.stem, names, decimals, rows, least, line_end)
    for index, (_, row) in enumerate(cells):
        line = ",".join(row)
        if _line(series, *rows[index]) != line:
            series.verbatim[index] = line
    return series


def _decimals(cell: str) -> int:
    return len(cell.partition(".")[2])


def _cell(value: int, places: int, least: int) -> str:
    text = decimal_text(value, -places)
    if least < places:
        whole, _, part = text.partition(".")
        part = part.rstrip("0").ljust(least, "0")
        text = f"{whole}.{part}" if part else whole
    return text


def _line(series: Series, at_ms: int, values: list[int | None]) -> str:
    least = series.least or series.decimals
    places = series.decimals[0]
    cells = [_cell(at_ms // 10 ** (_TIME_DECIMALS - places), places, least[0])]
    cells += [
        "" if value is None else _cell(value, series.decimals[i], least[i])
        for i, value in enumerate(values, 1)
    ]
    return ",".join(cells)


def csv_text(series: Series) -> str:
    """Return the CSV of a series."""
    lines = [",".join(series.names)]
    for index, row in enumerate(series.rows):
        lines.append(series.verbatim.get(index) or _line(series, *row))
    return series.line_end.join(lines) + series.line_end


def _schema(series: Series) -> tuple[bytes, bytes]:
    """Return the config hash and the payload of the SCHEMA record."""
    points = [
        [name, "", -places, 0, ""]
        for name, places in zip(series.names[1:], series.decimals[1:], strict=True)
    ]
    meter: dict[str, object] = {
        "name": series.name,
        "time_decimals": series.decimals[0],
        "points": points,
    }
    if series.least not in ([], series.decimals):
        meter["least_decimals"] = series.least
    if series.line_end != "\n":
        meter["line_end"] = series.line_end
    if series.verbatim and len(json.dumps(series.verbatim)) < _VERBATIM_MAX:
        meter["verbatim"] = series.verbatim
    tree: dict[str, object] = {"gateway": "", "site": "", "meters": [meter]}
    digest = sha256(json.dumps(tree).encode()).digest()[:4]
    return digest, json.dumps(tree | {"config": digest.hex()}).encode()


def blocks(series: Series, rows: int, config_hash: bytes = bytes(4)) -> list[bytes]:
    """Return sealed blocks of so many rows each, fewer where 4,000 bytes are full."""
    made = []
    block = Block(len(series.names) - 1, BLOCK_BYTES)
    block.open(config_hash, 0, 1, 0)

    def close() -> None:
        made.append(bytes(block.data[: block.seal()]))
        block.open(config_hash, 0, 1, 0)

    for at_ms, values in series.rows:
        quality = bytes(MISSING if value is None else GOOD for value in values)
        if block.count == rows:
            close()
        if not block.add(at_ms, values, quality):
            close()
            block.add(at_ms, values, quality)
    if block.count:
        close()
    return made


# Runs on MicroPython: rows of JSON come in, blocks in hex go out, a line each.
_DEVICE = """
import sys, json
from agent.codec import Block
points, rows, size, text = json.loads(sys.stdin.readline())
block = Block(points, size)
def close():
    print("".join(["%02x" % b for b in block.data[: block.seal()]]))
    block.open(bytes.fromhex(text), 0, 1, 0)
block.open(bytes.fromhex(text), 0, 1, 0)
while True:
    line = sys.stdin.readline()
    if not line:
        break
    at_ms, values = json.loads(line)
    quality = bytes([1 if v is None else 0 for v in values])
    if block.count == rows:
        close()
    if not block.add(at_ms, values, quality):
        close()
        block.add(at_ms, values, quality)
if block.count:
    close()
"""


def blocks_on_device(series: Series, rows: int, config_hash: bytes = bytes(4)) -> list[bytes]:
    """Return the same as blocks(), made by MicroPython."""
    interpreter = Path(sys.executable).with_name("micropython")
    head = [len(series.names) - 1, rows, BLOCK_BYTES, config_hash.hex()]
    text = "".join(json.dumps(row) + "\n" for row in [head, *series.rows])
    done = subprocess.run(
        [str(interpreter), "-X", "heapsize=2m", "-c", _DEVICE],
        cwd=ROOT,
        env={**os.environ, "MICROPYPATH": f"{ROOT}:.frozen"},
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Problem(
            f"micropython: {done.stderr or done.stdout}", "run `make setup`", code=FAILED
        )
    return [bytes.fromhex(line) for line in done.stdout.split()]


def encode(series: Series, rows: int, on_device: bool = False) -> bytes:
    """Return the file of blocks of a series."""
    config_hash, schema = _schema(series)
    made = (blocks_on_device if on_device else blocks)(series, rows, config_hash)
    out = bytearray()
    for seq, payload in enumerate([schema, *made], 1):
        if len(payload) > BLOCK_BYTES:
            raise Problem("too many columns for one schema", "split the file", code=INPUT)
        record = bytearray(len(payload) + OVERHEAD)
        kind = SCHEMA if seq == 1 else BLOCK
        pack_record(record, kind, seq, _JOURNAL, payload, 0, len(payload))
        out += record
    return bytes(out)


def _payloads(data: bytes, where: str) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        end = at + OVERHEAD + int.from_bytes(data[at + 2 : at + 4], "big")
        try:
            record = data[at:end]
            kind, _, _, start, stop = check_record(record, 0, len(record))
        except BadRecord as bad:
            raise Problem(
                f"record at byte {at}: {bad}", "encode the file again", code=INPUT, where=where
            ) from None
        yield kind, record[start:stop]
        at = end


def head_of(data: bytes) -> Series:
    """Return what the schema of a file of blocks says, without rows."""
    return decode_file(data[: OVERHEAD + int.from_bytes(data[2:4], "big")])


def decode_file(data: bytes, where: str = "") -> Series:
    """Return the series of a file of blocks; a Problem when it is damaged."""
    series: Series | None = None
    for kind, payload in _payloads(data, where):
        if kind == SCHEMA and series is None:
            tree = json.loads(payload)
            meter = tree["meters"][0]
            series = Series(
                meter["name"],
                ["t", *(point[0] for point in meter["points"])],
                [meter["time_decimals"], *(-point[2] for point in meter["points"])],
                [],
                meter.get("least_decimals", []),
                meter.get("line_end", "\n"),
                {int(index): line for index, line in meter.get("verbatim", {}).items()},
            )
        elif kind == BLOCK and series is not None:
            try:
                found = decode_block(payload)
            except BadBlock as bad:
                raise Problem(f"{bad}", "encode again", code=INPUT, where=where) from None
            series.rows += [(at_ms, values) for at_ms, values, _ in found.rows]
    if series is None:
        raise Problem("no schema at its start", "give a file of blocks", code=INPUT, where=where)
    return series
