"""The `eclor` command: one verb per job, each a file of host_tools/commands/."""

import importlib
import json
import pkgutil
import sys

import typer
from rich.console import Console

from host_tools import commands, problems

app = typer.Typer(
    name="eclor",
    help="Flash, provision, read, test and collect from Éclor gateways.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _root() -> None:
    """Make verbs of the commands even while there is only one."""


def _register() -> None:
    for module in sorted(pkgutil.iter_modules(commands.__path__), key=lambda m: m.name):
        verb = importlib.import_module(f"host_tools.commands.{module.name}")
        if hasattr(verb, "app"):
            app.add_typer(verb.app, name=verb.NAME)
        else:
            app.command(verb.NAME)(verb.command)


def main() -> None:
    """Run the command line; turn a Problem into a message and its exit code."""
    _register()
    try:
        app()
    except problems.Problem as problem:
        if "--json" in sys.argv:
            print(json.dumps(problem.as_dict(), ensure_ascii=False))
        else:
            console = Console(stderr=True, highlight=False)
            where = f"{problem.where}: " if problem.where else ""
            console.print(f"[bold red]eclor:[/] {where}{problem.what}", markup=True)
            if problem.remedy:
                console.print(f"  -> {problem.remedy}", markup=False)
        raise SystemExit(problem.code) from None
    except KeyboardInterrupt:
        print("eclor: interrupted", file=sys.stderr)
        raise SystemExit(problems.INTERRUPTED) from None


if __name__ == "__main__":
    main()
