"""Write registers or coils of one unit, and read them back: a technician's act, never polling's.

    shown = write(Write(port="/dev/ttyUSB0", unit=1, function=16, address=0x1C, values=[5, 0]))

Function 5, 6, 15 and 16. A broadcast (unit 0 of the standard) is answered by nobody, so nothing
is read back and [] is returned.
"""

from dataclasses import dataclass, field

from drivers.errors import LinkDown
from drivers.modbus import EXCEPTIONS, Modbus
from host_tools.desk.master import Master
from host_tools.desk.wires import Line, line_text, open_serial, open_socket
from host_tools.problems import DEVICE, NETWORK, USAGE, Problem


@dataclass
class Write:
    """What to write, and where."""

    function: int
    address: int
    values: list[int] = field(default_factory=list)
    unit: int = 1
    everyone: bool = False
    port: str = ""
    tcp: str = ""
    line: Line = (9600, 8, "N", 1)


def write(order: Write) -> list[int | None]:
    """Return what the unit holds afterwards, None where it cannot be read back."""
    if bool(order.port) == bool(order.tcp):
        raise Problem("where is the unit?", "give --port DEVICE or --tcp HOST:PORT", code=USAGE)
    are_coils = order.function in (5, 15)
    rows = [
        (
            *(f"r{i}", "", 0, "state", 1 if are_coils else 3, order.address + i),
            *("coil" if are_coils else "uint16", 0, ()),
        )
        for i in range(len(order.values))
    ]
    options = {"unit": order.unit, "transport": "tcp" if order.tcp else "rtu", "line": order.line}
    try:
        driver = Modbus({"points": tuple(rows)}, options)
        values = order.values[0] if order.function in (5, 6) else order.values
        driver.write(order.function, order.address, values, order.everyone)
    except ValueError as error:
        raise Problem(str(error), "correct the address, values or --unit", code=USAGE) from None
    wire = open_socket(order.tcp) if order.tcp else open_serial(order.port, order.line)
    try:
        turn = Master(wire, order.line).read(driver, turns=1)
    except LinkDown as error:
        code = NETWORK if order.tcp else DEVICE
        raise Problem(str(error), "look at the cable and the device", code=code) from None
    finally:
        wire.close()
    if order.everyone:
        return []
    if driver.written is None:
        raise Problem(
            f"unit {order.unit} did not answer at {order.tcp or line_text(order.line)}",
            "it may have taken the value all the same: read it with `eclor read`",
            code=DEVICE,
        )
    if driver.written:
        words = EXCEPTIONS.get(driver.written, "unknown")
        raise Problem(
            f"unit {order.unit} refuses: exception {driver.written}, {words}",
            "compare address, number of values and any password with its manual",
            code=DEVICE,
        )
    return list(turn.reading.values) if turn.reading else []
