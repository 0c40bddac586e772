"""The serial console of a board: its lines without a word to it, or a conversation.

    with open_console("/dev/ttyUSB0") as console:
        for line in lines(console): print(line)

Opening a port must not reset the board behind it: the DTR and RTS of a bridge pull an ESP32's
EN and GPIO 0, so both stay released; a chip's own USB speaks only while DTR is set.
"""

from collections.abc import Callable, Iterator
from typing import Any

from host_tools.cable.ports import BOARD, Device
from host_tools.problems import DEVICE, Problem

BAUD = 115_200


def open_console(device: Device) -> Any:
    """Open the console of a board for reading and writing. A Problem when it cannot be."""
    import serial

    port = serial.serial_for_url(device.port, BAUD, timeout=0.1, do_not_open=True)
    port.dtr = device.kind == BOARD
    port.rts = False
    try:
        port.open()
    except (OSError, ValueError) as error:
        raise Problem(
            f"{device.port} cannot be opened: {error}",
            "another program may hold it; eclor doctor looks for other causes",
            code=DEVICE,
        ) from None
    return port


def lines(port: Any, is_over: Callable[[], bool] = lambda: False) -> Iterator[str]:
    """Yield what the board says, line by line. A Problem when it is unplugged."""
    rest = b""
    while not is_over():
        try:
            data = port.read(port.in_waiting or 1)
        except OSError as error:
            raise Problem(
                f"{port.name} has gone: {error}", "plug it in again", code=DEVICE
            ) from None
        rest += data
        *whole, rest = rest.split(b"\n")
        for line in whole:
            yield line.decode(errors="replace").rstrip("\r")
    if rest:
        yield rest.decode(errors="replace")
