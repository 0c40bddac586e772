"""Read one meter once, by name of its map, over a serial port or a socket.

    values = read_meter(Request("sdm120", port="/dev/ttyUSB0", options={"unit": 1}))

Every protocol that asks or speaks by itself can be read; one that counts over a period cannot.
A Problem says what a technician does next.
"""

from dataclasses import dataclass, field
from typing import Any

from drivers import load
from drivers.errors import LinkDown
from host_tools.desk.master import Master, Turn
from host_tools.desk.through import open_through
from host_tools.desk.values import Value, Values
from host_tools.desk.wires import Line, Wire, line_text, open_serial, open_socket
from host_tools.planning.map_file import read_map
from host_tools.problems import DEVICE, NETWORK, USAGE, Problem, did_you_mean

_LINES: dict[str, Line] = {"mbus": (2400, 8, "E", 1), "iec62056": (300, 7, "E", 1)}
_LINE: Line = (9600, 8, "N", 1)
_COUNTING = ("radar",)


@dataclass
class Request:
    """What to read: a map, a wire (port or tcp), and what differs from the factory settings."""

    map: str
    port: str = ""
    tcp: str = ""
    rtu_over_tcp: bool = False
    baud: int = 0  # 0 and "": as the map says
    bits: int = 0
    parity: str = ""
    stop: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    identities: bool = False
    via: str = ""  # "gateway": port is a gateway's cable, the meter is on one of its UARTs
    uart: str = ""
    board: str = ""


def read_meter(request: Request) -> list[Value]:
    """Return a Value for each point of the map; some may be null, with their quality."""
    if bool(request.port) == bool(request.tcp):
        raise Problem("where is the meter?", "give --port DEVICE or --tcp HOST:PORT", code=USAGE)
    table = read_map(request.map)
    protocol = table["protocol"]
    if protocol in _COUNTING:
        raise Problem(
            f"{request.map} counts over a period, one reading says nothing",
            "record the line, and give the file to `eclor parse`",
            code=USAGE,
        )
    known = [row[0] for row in table["points"]]
    asked = request.options.get("points")
    for name in asked if isinstance(asked, list) else ():
        if name not in known:
            remedy = did_you_mean(name, known) or f"it has {', '.join(known)}"
            raise Problem(f"{request.map} has no point {name}", remedy, code=USAGE)
    line = _line_of(table, request)
    options = dict(request.options)
    options["line"] = line
    if protocol == "modbus" and request.tcp:
        options["transport"] = "rtu_tcp" if request.rtu_over_tcp else "tcp"
    try:
        driver = load(protocol)(table, options)
    except (ValueError, TypeError) as error:
        raise Problem(str(error), "correct the --unit, --point or --option", code=USAGE) from None
    wire: Wire
    if request.via:
        wire = open_through(request.port, line, request.uart, request.board, request.via)
    else:
        wire = open_socket(request.tcp) if request.tcp else open_serial(request.port, line)
    try:
        turn = Master(wire, line).read(driver)
    except LinkDown as error:
        code = NETWORK if request.tcp else DEVICE
        raise Problem(
            str(error), "look at the cable and the device, and repeat", code=code
        ) from None
    finally:
        wire.close()
    if turn.reading is None or not turn.answered:
        raise _nothing(request, protocol, line, turn)
    return Values(protocol, identities=request.identities).of(turn.reading)


def _line_of(table: dict[str, Any], request: Request) -> Line:
    baud, bits, parity, stop = table.get("line", _LINES.get(table["protocol"], _LINE))
    return (
        request.baud or baud,
        request.bits or bits,
        request.parity.upper() or parity,
        request.stop or stop,
    )


def _nothing(request: Request, protocol: str, line: Line, turn: Turn) -> Problem:
    """Return the problem of a meter of which nothing was understood."""
    where = request.tcp or f"{request.port} at {line_text(line)}"
    who = f"unit {request.options.get('unit', 1)}" if protocol == "modbus" else request.map
    scan = f"--tcp {request.tcp}" if request.tcp else f"--port {request.port}"
    find = f"`eclor scan {scan}` finds it" if protocol == "modbus" else "see the map's source"
    if turn.hint:
        return Problem(f"{who} is not understood on {where}", turn.hint, code=DEVICE)
    if turn.why.startswith("exception "):
        code = turn.why.split(",")[0]
        behind = code in ("exception 10", "exception 11")
        return Problem(
            f"{who} on {where} answers: {turn.why}",
            f"look at the meter behind the gateway: supply, A and B, address: {find}"
            if behind
            else "the meter is busy or in trouble: repeat, then look at its display",
            code=DEVICE,
        )
    if turn.heard and request.tcp:
        return Problem(
            f"{turn.heard} bytes came on {where}, and no whole answer of {who}: {turn.why}",
            f"try --unit 1, 0 or 255, or --rtu where a converter passes serial frames: {find}",
            code=DEVICE,
        )
    if turn.heard:
        return Problem(
            f"{turn.heard} bytes came on {where}, and no whole answer of {who}",
            f"wrong rate or parity, two meters with one address, or A and B swapped: {find}",
            code=DEVICE,
        )
    if request.tcp:
        return Problem(
            f"no answer of {who} on {where}, which took the connection",
            f"try --unit 1, 0 or 255, or --rtu where a converter passes serial frames: {find}",
            code=DEVICE,
        )
    return Problem(
        f"no answer of {who} on {where}",
        f"look at the supply, A and B, the address and the rate: {find}",
        code=DEVICE,
    )
