"""Series of decimals as CSV, as integers, and as a file of blocks.

The CSV: a first column `t`, epoch seconds with up to three decimals, then columns of decimals; an
empty cell is a missing value. The file of blocks is what a gateway sends: one SCHEMA record, then
BLOCK records (agent/README.md), so that each block decodes alone.

    series = read_csv(Path("meter.csv"))
    data = encode(series, rows=60)
    csv_text(decode_file(data)) == Path("meter.csv").read_text()
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from agent.codec import BadBlock, Block
from agent.codec import decode as decode_block
from agent.record import BLOCK, OVERHEAD, SCHEMA, BadRecord, check_record, pack_record
from drivers.reading import GOOD, MISSING, decimal_text
from host_tools.problems import FAILED, INPUT, Problem

ROOT = Path(__file__).resolve().parent.parent
BLOCK_BYTES = 4000  # what a record's payload holds at most
_JOURNAL = 1
_HEAD = 12  # of a record; its payload's length is at 2
_TIME_DECIMALS = 3

Row = tuple[int, list[int | None]]  # ms since 1970 UTC, integers of each column's resolution


@dataclass
class Series:
    """Rows of one meter: names and decimals of all columns, the time's first."""

    name: str
    names: list[str]
    decimals: list[int]
    rows: list[Row]


def _scaled(cell: str, decimals: int, where: str) -> int:
    whole, _, part = cell.partition(".")
    digits = whole + part.ljust(decimals, "0")
    try:
        return int(digits)
    except ValueError:
        raise Problem(
            f"{cell!r} is no decimal", "write digits, a point", code=INPUT, where=where
        ) from None


def read_csv(path: Path, first: int | None = None) -> Series:
    """Read a CSV, or its first rows; a Problem names the line that cannot be."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"{path}: {error}", "give a CSV file", code=INPUT) from None
    if not lines or lines[0].split(",")[0] != "t":
        raise Problem("the first column is not t", "put the epoch seconds first", where=str(path))
    names = lines[0].split(",")
    cells = [line.split(",") for line in lines[1:] if line]
    cells = cells[:first] if first else cells
    for number, row in enumerate(cells, 2):
        if len(row) != len(names) or not row[0]:
            raise Problem(
                f"{len(row)} cells, the head has {len(names)}",
                "give every row its time and all its cells",
                code=INPUT,
                where=f"{path}:{number}",
            )
    decimals = [
        max((len(row[column].partition(".")[2]) for row in cells), default=0)
        for column in range(len(names))
    ]
    if decimals[0] > _TIME_DECIMALS:
        raise Problem("a time finer than 1 ms", "round it", code=INPUT, where=str(path))
    rows: list[Row] = []
    for number, row in enumerate(cells, 2):
        where = f"{path}:{number}"
        values = [
            _scaled(cell, places, where) if cell else None
            for cell, places in zip(row[1:], decimals[1:], strict=True)
        ]
        rows.append((_scaled(row[0], _TIME_DECIMALS, where), values))
    return Series(path.stem, names, decimals, rows)


def csv_text(series: Series) -> str:
    """Return the CSV of a series."""
    lines = [",".join(series.names)]
    for at_ms, values in series.rows:
        time = at_ms // 10 ** (_TIME_DECIMALS - series.decimals[0])
        cells = [decimal_text(time, -series.decimals[0])]
        cells += [
            "" if value is None else decimal_text(value, -places)
            for value, places in zip(values, series.decimals[1:], strict=True)
        ]
        lines.append(",".join(cells))
    return "\n".join(lines) + "\n"


def _schema(series: Series) -> tuple[bytes, bytes]:
    """Return the config hash and the payload of the SCHEMA record."""
    points = [
        [name, "", -places, 0, ""]
        for name, places in zip(series.names[1:], series.decimals[1:], strict=True)
    ]
    meter = {"name": series.name, "time_decimals": series.decimals[0], "points": points}
    tree: dict[str, object] = {"gateway": "", "site": "", "meters": [meter]}
    digest = sha256(json.dumps(tree).encode()).digest()[:4]
    return digest, json.dumps(tree | {"config": digest.hex()}).encode()


def blocks(series: Series, rows: int, config_hash: bytes = bytes(4)) -> list[bytes]:
    """Return sealed blocks of so many rows each, fewer where 4,000 bytes are full."""
    made = []
    block = Block(len(series.names) - 1, BLOCK_BYTES)
    block.open(config_hash, 0, 1, 0)

    def close() -> None:
        start, end = block.close()
        made.append(bytes(block.data[start:end]))
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
    start, end = block.close()
    print("".join(["%02x" % b for b in block.data[start:end]]))
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
