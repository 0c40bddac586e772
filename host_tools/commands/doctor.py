"""`eclor doctor`: what this computer lacks, and how to mend it."""

import json
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from host_tools import options
from host_tools.language import translated
from host_tools.problems import MISSING, OK

NAME = "doctor"
_SIGNS = {"good": ("green", "ok"), "note": ("yellow", "--"), "wrong": ("bold red", "!!")}


def command(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Bundles of firmware; else those of this folder.")
    ] = None,
    public: Annotated[
        list[Path] | None,
        typer.Option(help="NAME.pub of who may sign them; else those of this folder."),
    ] = None,
    as_json: options.JsonLines = False,
) -> None:
    """Look at Python, packages, ports, permissions, brltty, clock, room, images and bundles.

    Images are compared with their checksums, bundles with their signatures. Exit code 6 when
    something has to be mended.
    """
    from rich.console import Console
    from rich.markup import escape

    from host_tools.doctor import WRONG, Computer, bundles, examine

    console = Console(highlight=False, soft_wrap=True)
    is_wrong = False
    kept = files or sorted(Path().glob("*.ecl"))
    keys = public or sorted(Path().glob("*.pub"))
    for step in chain(examine(Computer()), bundles(kept, keys)):
        is_wrong = is_wrong or step.state == WRONG
        if as_json:
            print(json.dumps(step.as_dict(), ensure_ascii=False))
            continue
        style, sign = _SIGNS[step.state]
        console.print(f"[{style}]{sign}[/] {escape(translated(step.what))}")
        if step.remedy:
            console.print(f"   -> {escape(translated(step.remedy))}")
    raise typer.Exit(MISSING if is_wrong else OK)
