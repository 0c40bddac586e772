"""From a Pico that runs MicroPython to the drive that waits for a UF2, without touching BOOTSEL.

volume = enter("/dev/ttyACM0")           # a Problem when no drive appears
"""

import time
from collections.abc import Callable
from typing import Any

from host_tools.flashing import uf2
from host_tools.problems import DEVICE, Problem

_POLL_S = 0.3


def _open(port: str) -> Any:
    from mpremote.transport_serial import SerialTransport

    return SerialTransport(port, 115200, timeout=1)


def enter(
    port: str,
    *,
    open_transport: Callable[[str], Any] = _open,
    find: Callable[[], list[uf2.Volume]] = uf2.volumes,
    wait_s: float = 15.0,
) -> uf2.Volume:
    """Ask the board on a port for its bootloader; return the volume that appears.

    A Problem when it does not answer, or when no new drive is seen within wait_s.
    """
    from mpremote.transport import TransportError

    before = {volume.path for volume in find()}
    try:
        transport = open_transport(port)
        try:
            transport.enter_raw_repl(soft_reset=False)
            transport.exec_raw_no_follow("import machine\nmachine.bootloader()")
        finally:
            transport.close()
    except (TransportError, OSError) as error:
        raise Problem(
            f"{port} does not let itself be interrupted: {error}",
            "hold BOOTSEL while you plug it in",
            code=DEVICE,
        ) from None
    deadline = time.monotonic() + wait_s
    while True:
        for volume in find():
            if volume.path not in before:
                return volume
        if time.monotonic() > deadline:
            raise Problem(
                f"{port} has left, and no drive has appeared",
                "mount the drive RPI-RP2 or RP2350, and give its folder by --port",
                code=DEVICE,
            )
        time.sleep(_POLL_S)
