"""The serial ports of this computer that may be a board or an adapter, by VID and PID alone.

A Bluetooth port, a modem or a console is not offered: connecting to the first port there is has
opened many a headset (micropython#8485). Not here: opening them (desk/wires.py, flash.py).

    for device in devices(): print(device.port, device.kind, device.what)
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from host_tools.language import say
from host_tools.problems import DEVICE, USAGE, Problem

BOARD = "board"  # a chip that speaks USB itself
BRIDGE = "bridge"  # a serial chip, with an ESP32 board or an RS-485 line behind it
BOOTLOADER = "bootloader"
# Vendor, product: kind, what people call it, boards/ it can be. Sources: usb.ids; MicroPython
# ports/rp2 and ports/esp32 (their descriptors); the schematics of the boards named.
KNOWN = {
    (0x2E8A, 0x0005): (BOARD, "Raspberry Pi Pico, MicroPython", ("rpi_pico_w", "rpi_pico2_w")),
    (0x2E8A, 0x000A): (BOARD, "Raspberry Pi Pico, other firmware", ("rpi_pico_w", "rpi_pico2_w")),
    (0x2E8A, 0x0003): (BOOTLOADER, "Raspberry Pi Pico, waiting for a UF2", ("rpi_pico_w",)),
    (0x2E8A, 0x000F): (BOOTLOADER, "Raspberry Pi Pico 2, waiting for a UF2", ("rpi_pico2_w",)),
    (0x303A, 0x1001): (BOARD, "ESP32-S3, its own USB", ("esp32_s3",)),
    (0x303A, 0x4001): (BOARD, "ESP32-S3, MicroPython", ("esp32_s3",)),
    (0x10C4, 0xEA60): (BRIDGE, "CP210x", ("esp32_generic", "esp32_s3")),
    (0x1A86, 0x7523): (BRIDGE, "CH340", ("esp32_generic", "esp32_poe")),
    (0x1A86, 0x55D4): (BRIDGE, "CH9102", ("esp32_generic",)),
    (0x1A86, 0x55D3): (BRIDGE, "CH343", ("esp32_s3",)),
    (0x0403, 0x6001): (BRIDGE, "FT232R", ()),
    (0x0403, 0x6015): (BRIDGE, "FT231X", ()),
    (0x0403, 0x6010): (BRIDGE, "FT2232", ()),
    (0x0403, 0x6011): (BRIDGE, "FT4232", ()),
    (0x0403, 0x6014): (BRIDGE, "FT232H", ()),
    (0x067B, 0x2303): (BRIDGE, "PL2303", ()),
    (0x067B, 0x23A3): (BRIDGE, "PL2303GC", ()),
    (0x04E2, 0x1410): (BRIDGE, "XR21V1410", ()),
}
_BLUETOOTH = ("bluetooth", "bthenum", "rfcomm", "/tty.bt", "/cu.bt")


@dataclass(frozen=True)
class Device:
    """One thing on a cable."""

    port: str
    kind: str
    what: str
    boards: tuple[str, ...]
    usb: str  # "2e8a:0005"
    serial: str

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for --json."""
        return asdict(self)


def devices(ports: Iterable[Any] | None = None) -> list[Device]:
    """Return what is on this computer's cables; ports: those of pyserial, None: ask it."""
    if ports is None:
        from serial.tools import list_ports

        ports = list_ports.comports()
    found = []
    for port in ports:
        known = KNOWN.get((port.vid, port.pid))
        if known is None or _is_bluetooth(port):
            continue
        kind, what, boards = known
        usb = f"{port.vid:04x}:{port.pid:04x}"
        found.append(Device(port.device, kind, what, boards, usb, port.serial_number or ""))
    return sorted(found, key=lambda device: device.port)


def choose(wanted: str = "", ports: Iterable[Any] | None = None) -> Device:
    """Return the device on the port `wanted`; with "" the only board or bridge there is.

    A Problem when there is none, or when a person has to choose.
    """
    found = devices(ports)
    if wanted:
        for device in found:
            if device.port == wanted:
                return device
        return Device(wanted, BRIDGE, say("given by name"), (), "", "")
    usable = [device for device in found if device.kind != BOOTLOADER]
    if not usable:
        raise Problem(
            "no board and no adapter is on this computer",
            "plug it in, with a cable that carries data; eclor doctor looks for other causes",
            code=DEVICE,
        )
    if len(usable) > 1:
        raise Problem(
            f"several are here: {', '.join(device.port for device in usable)}",
            "say which by --port",
            code=USAGE,
        )
    return usable[0]


def choose_all(
    wanted: Sequence[str], *, all_of_them: bool = False, ports: Iterable[Any] | None = None
) -> list[str]:
    """Return the ports of boards: those wanted, every one there is, or the only one.

    A Problem when there is none, when a person has to choose, or when one is named twice.
    """
    if len(set(wanted)) < len(wanted):
        raise Problem(f"{', '.join(wanted)}: one is named twice", "give each once", code=USAGE)
    if wanted:
        return list(wanted)
    if all_of_them:
        found = [
            device.port for device in devices(ports) if device.boards and device.kind != BOOTLOADER
        ]
        if found:
            return found
    return [choose("", ports).port]


def _is_bluetooth(port: Any) -> bool:
    words = f"{port.device} {port.description or ''} {port.hwid or ''}".lower()
    return any(word in words for word in _BLUETOOTH)
