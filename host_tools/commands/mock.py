"""`eclor mock`: a simulated Modbus meter for anybody's tests, or a bare board to try on."""

import time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer

from host_tools.problems import INPUT, USAGE, Problem, did_you_mean

NAME = "mock"


def command(
    map_name: Annotated[str, typer.Option("--map", "-m", help="Name of a map, or a file.")] = "",
    board: Annotated[
        Path | None,
        typer.Option(help="A bare board instead, kept in this folder; it runs on."),
    ] = None,
    site: Annotated[
        Path | None, typer.Option(help="With --board: the meters of this site file are on it.")
    ] = None,
    gateway: Annotated[str, typer.Option(help="With --site: which one; else the first.")] = "",
    stop: Annotated[bool, typer.Option("--stop", help="With --board: stop it.")] = False,
    unit: Annotated[int, typer.Option(help="Address.")] = 1,
    tcp: Annotated[
        int | None, typer.Option(help="Modbus TCP on this port (127.0.0.1); 0: a free one.")
    ] = None,
    value: Annotated[
        list[str] | None, typer.Option("--value", help="POINT=NUMBER; others follow a day.")
    ] = None,
    fault: Annotated[
        list[str] | None, typer.Option("--fault", help='In turn, then again; "" is none.')
    ] = None,
    share: Annotated[float, typer.Option(help="Share of faulty answers, drawn by --seed.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Of --share and of the values.")] = 0,
    seconds: Annotated[float, typer.Option(help="0: until Ctrl-C.")] = 0.0,
) -> None:
    """Print where the meter is (a terminal's path, or HOST:PORT), and answer there.

    With --board: print the port of a board with MicroPython and nothing on it, and return.
    """
    if board:
        from host_tools.sim.bare_board import start_alone, stop_alone

        if stop:
            stop_alone(board)
        else:
            print(start_alone(board, site, gateway))
        return
    if not map_name:
        raise Problem("what is to be simulated?", "give --map NAME, or --board", code=USAGE)
    from host_tools.planning.map_file import read_map
    from host_tools.sim.lines import LineSettings
    from host_tools.sim.loads import Day, Quantities
    from host_tools.sim.modbus_faults import Faults
    from host_tools.sim.modbus_meter import ModbusMeter
    from host_tools.sim.workbench import SerialBench, SocketBench

    table = read_map(map_name)
    if table["protocol"] != "modbus":
        raise Problem(f"{map_name} is no Modbus meter", "eclor maps --protocol modbus", code=INPUT)
    fixed = _fixed(value or [], {row[0] for row in table["points"]})
    quantities = Quantities(Day("household"), f"mock {seed}")
    units = {row[0]: row[1] for row in table["points"]}
    texts = {row[0] for row in table["points"] if row[3] == "text"}

    def measured(name: str, now_s: float) -> Any:
        if name in texts:
            return b"MOCK"
        return fixed[name] if name in fixed else quantities.value(name, units[name], now_s)

    try:
        faults = Faults.seeded(seed, share) if share else Faults(fault or [], repeat=True)
    except ValueError as error:
        raise Problem(str(error), "see host_tools/sim/modbus_faults.py", code=USAGE) from None
    transport = "rtu" if tcp is None else "tcp"
    meter = ModbusMeter(table, unit, measured, transport=transport, faults=faults)
    line = LineSettings(*table.get("line", (9600, 8, "N", 1)))
    with SerialBench([meter], line) if tcp is None else SocketBench([meter], tcp) as bench:
        place = bench.path if isinstance(bench, SerialBench) else f"127.0.0.1:{bench.port}"
        print(place, flush=True)
        until_s = time.monotonic() + seconds
        while not seconds or time.monotonic() < until_s:
            time.sleep(0.1)


def _fixed(texts: list[str], known: set[str]) -> dict[str, Decimal]:
    fixed = {}
    for text in texts:
        name, _, number = text.partition("=")
        try:
            fixed[name] = Decimal(number)
        except InvalidOperation:
            raise Problem(f"{text!r} is no value", "write voltage=230.4", code=USAGE) from None
        if name not in known:
            remedy = did_you_mean(name, known) or f"it has {', '.join(sorted(known))}"
            raise Problem(f"the map has no point {name}", remedy, code=INPUT)
    return fixed
