"""`eclor ui`: a page on this computer for those who prefer clicking."""

from pathlib import Path
from typing import Annotated

import typer

from host_tools.language import say
from host_tools.problems import INPUT, Problem
from host_tools.processes.broker import free_port

NAME = "ui"


def command(
    number: Annotated[int, typer.Option("--listen", help="Port of the page on 127.0.0.1.")] = 8090,
    port: Annotated[
        list[str] | None, typer.Option(help="A serial port that no USB chip tells of.")
    ] = None,
    site: Annotated[Path | None, typer.Option(help="The site file to begin with.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for claims and reports.")] = Path(),
) -> None:
    """Show a local page: boards, firmware, provisioning, meters, acceptance; the verbs behind it.

    It listens on this computer alone. Ctrl-C ends it.
    """
    if not out.is_dir():
        raise Problem(f"{out} is no folder", "give --out FOLDER", code=INPUT)
    from host_tools.page.desk import serve
    from host_tools.page.work import Work

    chosen = free_port(number)
    print(say("the page is at {address}", address=f"http://127.0.0.1:{chosen}/"), flush=True)
    serve(Work(out), chosen, also=port or (), site=site)
