"""`eclor check`: every problem of a site file at once, and what will leave each gateway."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from host_tools.problems import FAILED, OK

if TYPE_CHECKING:
    from host_tools.site_file import Site

NAME = "check"


def command(
    file: Annotated[Path, typer.Argument(help="The site file.")] = Path("site.yaml"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Check a site file by the gateways' own rules: line, column, value, rule and remedy.

    Exit code 1 when something is wrong.
    """
    from host_tools.site_file import read_site

    site = read_site(file)
    if as_json:
        print(json.dumps(_as_dict(site), ensure_ascii=False))
    else:
        _print(site)
    raise typer.Exit(OK if site.is_good else FAILED)


def _as_dict(site: "Site") -> dict[str, object]:
    return {
        "file": str(site.path),
        "site": site.name,
        "good": site.is_good,
        "findings": [asdict(finding) for finding in site.findings],
        "gateways": [
            {"name": gateway.name, "board": gateway.tree.get("board"), "leaves": gateway.leaves}
            for gateway in site.gateways
        ],
    }


def _print(site: "Site") -> None:
    console = Console(highlight=False, soft_wrap=True)
    for finding in site.findings:
        kind, style = ("error", "bold red") if finding.is_wrong else ("note", "bold yellow")
        value = f" {escape(finding.value)}" if finding.value else ""
        console.print(
            f"{escape(finding.file)}:{finding.line}:{finding.column}: [{style}]{kind}:[/] "
            f"{escape(finding.path)}:{value} {escape(finding.rule)}"
        )
        if finding.remedy:
            console.print(f"    -> {escape(finding.remedy)}")
    wrong = sum(finding.is_wrong for finding in site.findings)
    if wrong:
        console.print(f"{escape(str(site.path))}: {wrong} to mend")
        return
    console.print(f"{escape(str(site.path))}: good, gateways: {len(site.gateways)}")
    for gateway in site.gateways:
        console.print(f"\nWhat leaves {escape(gateway.name)}:")
        for line in gateway.leaves:
            console.print(f"  {escape(line)}")
