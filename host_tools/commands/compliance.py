"""`eclor compliance`: what holds of the standards, and which test showed it last."""

import itertools
import json
from pathlib import Path
from typing import Annotated

import typer

from host_tools.problems import FAILED, INPUT, Problem

NAME = "compliance"


def command(
    html: Annotated[
        Path | None, typer.Option(help="Write the page with every test to this file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Every provision as JSON.")] = False,
) -> None:
    """Show each provision of the standards, whether it holds, and what firmware cannot do.

    The results are those of the last `make compliance`. Exit code 1 when one fails.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from host_tools.compliance import page, results
    from host_tools.language import say

    found = results.read()
    rows = results.assess(found)
    if html:
        try:
            html.write_text(page.page(found), encoding="utf-8")
        except OSError as error:
            raise Problem(f"{html}: {error.strerror}", "give another file", code=INPUT) from None
    if as_json:
        told = {"version": found.get("version"), "date": found.get("date")}
        told["provisions"] = [row.as_dict() for row in rows]
        print(json.dumps(told, ensure_ascii=False))
    else:
        console = Console()
        colours = {results.HOLDS: "green", results.FAILS: "bold red"}
        for standard, mine in itertools.groupby(rows, key=lambda row: row.standard):
            table = Table(title=standard, title_justify="left", expand=True)
            for title in ("No.", "asks", "tests", "beyond firmware"):
                table.add_column(say(title), overflow="fold")
            table.add_column("", no_wrap=True)
            for row in mine:
                colour = colours.get(row.status, "yellow")
                cases = sum(proof.passed for proof in row.proofs)
                table.add_row(
                    row.provision.number,
                    escape(row.provision.asks),
                    str(cases or ""),
                    escape(row.provision.beyond),
                    f"[{colour}]{say(page.WORDS[row.status])}[/]",
                )
            console.print(table)
    if any(row.status == results.FAILS for row in rows):
        raise typer.Exit(FAILED)
