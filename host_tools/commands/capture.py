"""`eclor capture`: record what a line says, for the desk: `eclor parse` reads it there."""

import json
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from host_tools import options
from host_tools.language import say
from host_tools.problems import DEVICE, INPUT, OK, USAGE, Problem

NAME = "capture"
_LINE = re.compile(r"(\d+)[ -]?([78])([NEO])([12])")


def command(
    file: Annotated[Path, typer.Argument(help="Where the bytes go.")],
    port: options.Port = "",
    line: Annotated[str, typer.Option(help="Speed and frame, as 9600-7E1.")] = "9600-8N1",
    seconds: Annotated[float, typer.Option(help="How long.")] = 30.0,
    force: Annotated[bool, typer.Option(help="Write over a file that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object at the end.")] = False,
) -> None:
    """Record a line byte by byte; Ctrl-C ends it and keeps what came.

    Exit code 4 when nothing was heard.
    """
    from host_tools.cable.ports import choose
    from host_tools.desk.line_record import record
    from host_tools.desk.wires import open_serial

    match = _LINE.fullmatch(line)
    if not match:
        raise Problem(f"{line} is no line", "write it as 9600-7E1", code=USAGE)
    if file.exists() and not force:
        raise Problem(f"{file} is there already", "give another name, or --force", code=INPUT)
    wire = open_serial(choose(port).port, (int(match[1]), int(match[2]), match[3], int(match[4])))

    def show(count: int) -> None:
        if sys.stderr.isatty():
            print("\r" + say("{count} bytes", count=count), end="", file=sys.stderr, flush=True)

    try:
        heard = record(wire, file, seconds, show, is_text=match[2] == "7")
    finally:
        wire.close()
    if as_json:
        print(json.dumps({"file": str(file), "line": line, **heard.as_dict()}))
    else:
        print(
            say(
                "{file}: {count} bytes in {frames} pieces",
                file=file,
                count=heard.count,
                frames=heard.pieces,
            )
        )
        if heard.hint:
            print("  " + say(heard.hint))
    raise typer.Exit(OK if heard.count else DEVICE)
