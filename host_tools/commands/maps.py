"""`eclor maps`: the meters that are known, and whether a map of your own is right."""

import json
from pathlib import Path
from typing import Annotated

import typer

from host_tools import options
from host_tools.language import say
from host_tools.problems import INPUT, OK

NAME = "maps"


def command(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Maps of your own to check; none: list all known.")
    ] = None,
    protocol: Annotated[str, typer.Option(help="Only these.")] = "",
    as_json: options.JsonLines = False,
) -> None:
    """List the maps, or check files: every problem with its line, column and remedy."""
    from host_tools.planning.map_file import check_map, map_names, read_map

    if not files:
        for name in map_names(protocol):
            table = read_map(name)
            row = {key: table[key] for key in ("protocol", "maker", "model", "source")}
            if as_json:
                print(json.dumps({"map": name, **row, "points": len(table["points"])}))
            else:
                print(f"{name:22} {row['protocol']:9} {row['maker']} {row['model']}")
        return
    wrong = 0
    for path in files:
        problems = check_map(path)
        wrong += len(problems)
        for problem in problems:
            told = {"file": str(path), **vars(problem)}
            print(json.dumps(told, ensure_ascii=False) if as_json else f"{path}:{problem}")
        if not problems and not as_json:
            print(f"{path}: {say('good')}")
    raise typer.Exit(INPUT if wrong else OK)
