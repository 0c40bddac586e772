"""`eclor boards`: what is soldered where on every board this firmware knows."""

import json
from typing import Annotated, Any

import typer

from host_tools import options
from host_tools.language import say
from host_tools.problems import INPUT, Problem, did_you_mean

NAME = "boards"


def command(
    name: Annotated[str, typer.Argument(help="One board, in full; none: list them all.")] = "",
    as_json: options.JsonLines = False,
) -> None:
    """List the boards with their UARTs, inputs, network and room, or show one with its sources."""
    from host_tools.planning.site_rules import board, board_names

    names = board_names()
    if name and name not in names:
        remedy = did_you_mean(name, names) or f"there are {', '.join(names)}"
        raise Problem(f"there is no board {name}", remedy, code=INPUT)
    shown = [board(name)] if name else [board(each) for each in names]
    if as_json:
        for each in shown:
            print(json.dumps(each))
    elif name:
        _print_one(shown[0])
    else:
        _print_all(shown)


def _uart(name: str, wiring: dict[str, Any]) -> str:
    if not wiring:
        return name
    turn = "" if wiring["direction"] is None else f" {say('direction')} {wiring['direction']}"
    return f"{name} tx {wiring['tx']} rx {wiring['rx']}{turn}"


def _short(name: str, wiring: dict[str, Any]) -> str:
    pins = [str(pin) for role, pin in wiring.items() if role != "id" and pin is not None]
    return name + (": " if pins else "") + ", ".join(pins)


def _inputs(board: dict[str, Any]) -> str:
    if board["port"] == "unix":
        return ", ".join(board["pins"])
    return ", ".join(f"{name} {pin}" for name, pin in board["pins"].items())


def _files_kb(board: dict[str, Any]) -> int:
    return sum(size for name, _, size in board["flash"]["regions"] if name == "files") // 1024


def _print_all(shown: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    table.add_column(say("board"), no_wrap=True)
    for head in (say("UART: tx, rx, direction"), say("inputs"), say("network")):
        table.add_column(head)
    table.add_column(say("files"))
    table.add_column(say("heap"))
    for each in shown:
        table.add_row(
            each["name"],
            "\n".join(_short(name, wiring) for name, wiring in each["uarts"].items()),
            _inputs(each),
            ", ".join(each["interfaces"]) or say("its host's"),
            f"{_files_kb(each)} KB",
            f"{each['heap'] // 1024} KB",
        )
    Console().print(table)


def _print_one(each: dict[str, Any]) -> None:
    import importlib

    module = importlib.import_module(f"boards.{each['name']}")
    print((module.__doc__ or "").strip())
    print()
    rows = [
        (say("board"), each["name"]),
        (say("chip"), each["chip"]),
        (say("image"), each["image"] or say("none: it is this computer")),
        *(("UART", _uart(name, wiring)) for name, wiring in each["uarts"].items()),
        (say("inputs"), _inputs(each)),
        ("LED", say("none") if each["led"] is None else str(each["led"])),
        (say("network"), ", ".join(each["interfaces"]) or say("its host's")),
        *(
            (say("flash"), f"{name}: {size // 1024} KB @ {start:#x}")
            for name, start, size in each["flash"]["regions"]
        ),
        (say("heap"), say("{size} KB at the start", size=each["heap"] // 1024)),
        (say("watchdog"), say("{time} ms at the most", time=each["watchdog_ms"])),
    ]
    for key, text in rows:
        print(f"{key:12} {text}")
