"""`eclor logs`: what a gateway says on its cable, with the time, kept in a file."""

import json
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from host_tools import options
from host_tools.language import say
from host_tools.problems import DEVICE, INPUT, OK, USAGE, Problem

NAME = "logs"
_LEVELS = ("debug", "info", "warn", "error")


def command(
    port: options.Port = "",
    out: Annotated[Path | None, typer.Option(help="Add them to this file.")] = None,
    level: Annotated[str, typer.Option(help="The least: debug, info, warn or error.")] = "debug",
    seconds: Annotated[float, typer.Option(help="How long; 0: until Ctrl-C.")] = 0.0,
    as_json: options.JsonLines = False,
) -> None:
    """Write down a gateway's lines, each with the time at which it came; nothing is sent to it.

    Exit code 4 when nothing was heard.
    """
    from host_tools.cable.console import lines, open_console
    from host_tools.cable.ports import choose
    from host_tools.remote.monitor import Line

    if level not in _LEVELS:
        raise Problem(f"there is no level {level}", f"there are {', '.join(_LEVELS)}", code=USAGE)
    end_s = time.monotonic() + seconds if seconds else float("inf")
    heard = kept = 0
    try:
        file = out.open("a", encoding="utf-8") if out else sys.stdout
    except OSError as error:
        raise Problem(f"{out}: {error.strerror}", "give another place", code=INPUT) from None
    try:
        with open_console(choose(port)) as cable:
            for text in lines(cable, lambda: time.monotonic() > end_s):
                heard += 1
                line = Line.of(text)
                if line.severity and _LEVELS.index(line.severity) < _LEVELS.index(level):
                    continue
                kept += 1
                at = datetime.now(UTC).isoformat(timespec="milliseconds")
                told = {"at": at, **asdict(line)}
                words = json.dumps(told, ensure_ascii=False) if as_json else f"{at} {text}"
                print(words, file=file, flush=True)
    except KeyboardInterrupt:
        pass
    finally:
        if out:
            file.close()
    if out:
        print(say("{file}: {count} lines more", file=out, count=kept), file=sys.stderr)
    raise typer.Exit(OK if heard else DEVICE)
