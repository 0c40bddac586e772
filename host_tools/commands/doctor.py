"""`eclor doctor`: what this computer lacks, and how to mend it."""

import json
from typing import Annotated

import typer

from host_tools.language import translated
from host_tools.problems import MISSING, OK

NAME = "doctor"
_SIGNS = {"good": ("green", "ok"), "note": ("yellow", "--"), "wrong": ("bold red", "!!")}


def command(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Look at Python, packages, ports, permissions, brltty, clock, room and the image cache.

    Exit code 6 when something has to be mended.
    """
    from rich.console import Console
    from rich.markup import escape

    from host_tools.doctor import WRONG, Computer, examine

    console = Console(highlight=False, soft_wrap=True)
    is_wrong = False
    for step in examine(Computer()):
        is_wrong = is_wrong or step.state == WRONG
        if as_json:
            print(json.dumps(step.as_dict(), ensure_ascii=False))
            continue
        style, sign = _SIGNS[step.state]
        console.print(f"[{style}]{sign}[/] {escape(translated(step.what))}")
        if step.remedy:
            console.print(f"   -> {escape(translated(step.remedy))}")
    raise typer.Exit(MISSING if is_wrong else OK)
