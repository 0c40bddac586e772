"""`eclor codec`: write a series as a gateway's blocks, read them, compare with other ways."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from host_tools import options
from host_tools.language import say
from host_tools.problems import INPUT, Problem

NAME = "codec"
app = typer.Typer(help="Compress a series of readings, read it back, compare.")

_MANY_BYTES = 300_000  # of blocks: compiling a kernel for them takes less than it saves
_RUNTIMES = ("cpython", "micropython")
Runtime = Annotated[str, typer.Option(help="Who encodes: cpython or micropython.")]


def _on_device(runtime: str) -> bool:
    if runtime not in _RUNTIMES:
        raise Problem(f"no runtime {runtime!r}", "cpython or micropython", code=INPUT)
    return runtime == "micropython"


@app.command("encode")
def encode(
    file: Annotated[Path, typer.Argument(help="CSV: t (epoch seconds), then decimals.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file of blocks.")],
    rows: Annotated[int, typer.Option(min=1, max=65535, help="Readings of one block.")] = 60,
    runtime: Runtime = "cpython",
) -> None:
    """Write a CSV as blocks."""
    from host_tools.codec import series

    found = series.read_csv(file)
    data = series.encode(found, rows, _on_device(runtime))
    out.write_bytes(data)
    schema = series.head_of(data)
    schema.rows = found.rows
    back, text = series.csv_text(schema), file.read_bytes().decode()
    if back != text:
        pairs = zip(back.splitlines(), text.splitlines(), strict=False)
        line = next((i for i, (one, other) in enumerate(pairs, 1) if one != other), "end")
        told = say("{file}:{line} will come back otherwise written", file=file, line=line)
        print(f"eclor: {told}", file=sys.stderr)


@app.command("decode")
def decode(
    file: Annotated[Path, typer.Argument(help="A file of blocks.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Else standard output.")] = None,
) -> None:
    """Write the CSV that a file of blocks was made of."""
    from host_tools.codec import fast, series

    try:
        data = file.read_bytes()
    except OSError as error:
        raise Problem(f"{file}: {error.strerror}", "give a file of blocks", code=INPUT) from None
    if len(data) > _MANY_BYTES:
        fast.speed_up()
    text = series.csv_text(series.decode_file(data, str(file)))
    if out:
        out.write_bytes(text.encode())
    else:
        sys.stdout.buffer.write(text.encode())


@app.command("stats")
def stats(
    files: Annotated[list[Path], typer.Argument(help="CSV files.")],
    rows: Annotated[str, typer.Option(help="Readings of a block, by comma.")] = "60,240,1000",
    as_json: options.Json = False,
    first: Annotated[int | None, typer.Option(min=1, help="Only so many rows of each.")] = None,
    runtime: Runtime = "cpython",
) -> None:
    """Bytes per row of our blocks, pcodec, zlib, lzma, SenML, CBOR, varints and Rice."""
    from host_tools.codec import series
    from host_tools.codec.stats import measure

    try:
        sizes = [int(size) for size in rows.split(",")]
    except ValueError:
        raise Problem(f"--rows {rows}", "numbers, by comma: 60,240", code=INPUT) from None
    if min(sizes) < 1:
        raise Problem(f"--rows {rows}", "at least 1", code=INPUT)
    found = measure(
        [series.read_csv(file, first) for file in files], sizes, on_device=_on_device(runtime)
    )
    if as_json:
        print(json.dumps(found))
        return
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for size in map(str, sizes):
        table = Table(title=say("bytes per row, {size} rows a block", size=size))
        by_set = {name: sizes_of[size] for name, sizes_of in found["sets"].items()}
        codecs = list(next(iter(by_set.values())))
        for column in (say("series"), *codecs):
            table.add_column(column)
        for name, totals in by_set.items():
            table.add_row(name, *(f"{total:.2f}" for total in totals.values()))
        console.print(table)
        ratio = f"{found['geometric_mean'][size]:.3f}"
        console.print(say("ours / pcodec, geometric mean: {ratio}", ratio=ratio))
