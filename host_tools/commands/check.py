"""`eclor check`: every problem of a site file at once, and what will leave each gateway."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from host_tools import options
from host_tools.language import say, translated
from host_tools.problems import FAILED, OK

if TYPE_CHECKING:
    from host_tools.planning.site_file import Site

NAME = "check"


def command(
    file: Annotated[Path, typer.Argument(help="The site file.")] = Path("site.yaml"),
    as_json: options.Json = False,
) -> None:
    """Check a site file by the gateways' own rules: line, column, value, rule and remedy.

    Exit code 1 when something is wrong.
    """
    from host_tools.planning.site_file import read_site

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
        style = "bold red" if finding.is_wrong else "bold yellow"
        kind = say("error") if finding.is_wrong else say("note")
        is_said = not finding.value or finding.value in finding.rule
        value = "" if is_said else f" {escape(translated(finding.value))}"
        console.print(
            f"{escape(finding.file)}:{finding.line}:{finding.column}: [{style}]{kind}:[/] "
            f"{escape(finding.path)}:{value} {escape(translated(finding.rule))}"
        )
        if finding.remedy:
            console.print(f"    -> {escape(translated(finding.remedy))}")
    wrong = sum(finding.is_wrong for finding in site.findings)
    if wrong:
        console.print(escape(say("{file}: to mend: {count}", file=site.path, count=wrong)))
        return
    count = len(site.gateways)
    console.print(escape(say("{file}: good, gateways: {count}", file=site.path, count=count)))
    for gateway in site.gateways:
        console.print("\n" + escape(say("What leaves {name}:", name=gateway.name)))
        for line in gateway.leaves:
            console.print(f"  {escape(translated(line))}")
