"""`eclor site`: write a site file by answering questions; see what changes between two."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from host_tools.language import say, translated
from host_tools.problems import FAILED, INPUT, OK, Problem

NAME = "site"
app = typer.Typer(no_args_is_help=True, help="Write a site file, or compare two.")


@app.command("new")
def new(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("site.yaml"),
    force: Annotated[bool, typer.Option(help="Write over a file that is there.")] = False,
) -> None:
    """Ask what is on the wall, and write a site file that explains itself."""
    from host_tools.planning.site_file import read_site
    from host_tools.planning.site_new import Interview
    from host_tools.planning.site_words import sample

    if file.exists() and not force:
        raise Problem(f"{file} is there already", "give another name, or --force", code=INPUT)
    values = Interview(_ask, _tell).run()
    file.write_text(sample(values), encoding="utf-8")
    site = read_site(file)
    for finding in site.findings:
        _tell(f"{finding.line}:{finding.column}: {finding.path}: {translated(finding.rule)}")
    print(say("{file} is written; eclor check {file} says what leaves the gateway", file=file))


@app.command("diff")
def diff(
    old: Annotated[Path, typer.Argument(help="The site file as it was.")],
    new_file: Annotated[Path, typer.Argument(metavar="NEW", help="The site file as it will be.")],
) -> None:
    """Say what changes for each gateway, defaults counted in; the order of rows is no change.

    Exit code 1 when something changes.
    """
    from host_tools.planning.site_file import read_site
    from host_tools.planning.site_new import difference

    changes = list(difference(read_site(old), read_site(new_file)))
    for change in changes:
        print(change)
    raise typer.Exit(FAILED if changes else OK)


def _ask(question: str, default: str) -> str:
    hint = f" [{default}]" if default else ""
    print(f"{question}{hint}: ", end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        raise Problem(
            "the answers have ended before the questions",
            "run it on a terminal, or give every answer on a line of its own",
            code=INPUT,
        )
    return line.strip() or default


def _tell(words: str) -> None:
    print(f"  {words}", file=sys.stderr)
