"""Every file of boards/ describes a board that its chip can be."""

import ast
import importlib
import itertools
from pathlib import Path
from typing import Any

import pytest

from host_tools.planning import site_rules

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = sorted(path.stem for path in (ROOT / "boards").glob("*.py") if path.stem != "__init__")
FIELDS: dict[str, Any] = {
    "name": str,
    "title": str,
    "port": str,
    "chip": str,
    "image": str,
    "uarts": dict,
    "fifo": int,
    "pins": dict,
    "led": (str, int, type(None)),
    "interfaces": dict,
    "flash": dict,
    "heap": int,
    "watchdog_ms": int,
}
RP2_GPIO = set(range(30))
PICO_W = {23, 24, 25, 29}  # the WiFi chip's
# bytes that the FIFO of a port's UARTs holds: RP2040 datasheet 4.2, ESP32 technical reference 13.3
_JOURNAL_LEAST = 64 * 1024
FIFOS = {"rp2": 32, "esp32": 128, "unix": 0}
# chip: port, pins that exist, pins that only read, pins nobody may take (flash, RAM, USB, console,
# how the chip starts), UART numbers, longest watchdog
CHIPS = {
    "rp2040": ("rp2", RP2_GPIO, set(), PICO_W, {0, 1}, 8388),
    "rp2350": ("rp2", RP2_GPIO, set(), PICO_W, {0, 1}, 16777),
    "esp32": (
        "esp32",
        set(range(20)) | {21, 22, 23, 25, 26, 27} | set(range(32, 40)),
        set(range(34, 40)),
        {0, 1, 2, 3, 5, 12, 15, *range(6, 12)},
        {1, 2},
        3_600_000,
    ),
    "esp32s3": (
        "esp32",
        set(range(22)) | set(range(26, 49)),
        set(),
        {0, 3, 19, 20, 43, 44, 45, 46, *range(26, 38)},
        {1, 2},
        3_600_000,
    ),
    "host": ("unix", set(), set(), set(), set(), 3_600_000),
}


def load(name):
    return importlib.import_module(f"boards.{name}").BOARD


def pins(board):
    """Return (what, pin) of everything that is wired."""
    wired = [
        (f"{name}.{role}", uart[role])
        for name, uart in board["uarts"].items()
        for role in ("tx", "rx", "direction")
        if uart.get(role) is not None
    ]
    if board["port"] != "unix":
        wired += [(f"{name}.input", pin) for name, pin in board["pins"].items()]
    for name, wiring in board["interfaces"].items():
        wired += [
            (f"{name}.{role}", wiring[role]) for role in ("mdc", "mdio", "power") if role in wiring
        ]
    wired += [("reserved", pin) for pin in board.get("reserved", ())]
    if isinstance(board["led"], int):
        wired.append(("led", board["led"]))
    return wired


def faults(name, board, doc):
    """Return what is wrong with a board, one line each."""
    found = [f"{key} is not {kind}" for key, kind in FIELDS.items() if key not in board]
    if found:
        return found
    for key, kind in FIELDS.items():
        if not isinstance(board[key], kind):
            found.append(f"{key} is {board[key]!r}")
    if board["name"] != name:
        found.append(f"name is {board['name']}")
    unknown = set(board) - set(FIELDS) - {"reserved"}
    found += [f"unknown field {key}" for key in unknown]
    if "Source" not in doc:
        found.append("the docstring names no source")
    port, existing, reading, taken, numbers, longest_ms = CHIPS[board["chip"]]
    if board["port"] != port:
        found.append(f"{board['chip']} is no {board['port']}")
    if not 1000 <= board["watchdog_ms"] <= longest_ms:
        found.append(f"watchdog_ms {board['watchdog_ms']}")
    if port != "unix":
        if not board["image"]:
            found.append("image is empty")
        found += pin_faults(board, existing, reading, taken)
        found += uart_faults(board, port, numbers)
    if board["fifo"] != FIFOS[port]:
        found.append(f"fifo {board['fifo']}")
    if (board["flash"]["erase_ms"] > 0) != (port != "unix"):
        found.append(f"erase_ms {board['flash']['erase_ms']}")
    return found + flash_faults(board["flash"])


def pin_faults(board, existing, reading, taken):
    found = []
    seen: dict[int, str] = {}
    ethernet = {pin for what, pin in pins(board) if what.startswith("ethernet")}
    for what, pin in pins(board):
        if pin in seen:
            found.append(f"pin {pin} is {seen[pin]} and {what}")
        seen[pin] = what
        if pin not in existing:
            found.append(f"{what}: there is no pin {pin}")
        if pin in taken and pin not in ethernet:
            found.append(f"{what}: pin {pin} is taken by the chip or the module")
        if pin in reading and not what.endswith((".rx", ".input")):
            found.append(f"{what}: pin {pin} only reads")
    return found


def uart_faults(board, port, numbers):
    found = []
    for name, uart in board["uarts"].items():
        if uart["id"] not in numbers:
            found.append(f"{name}: no UART {uart['id']}")
        if name != f"uart{uart['id']}":
            found.append(f"{name} is UART {uart['id']}")
        if port == "rp2":  # function 2 of each pin: TX, RX, CTS, RTS of UART0 at 0, UART1 at 4 ...
            for role, place in (("tx", 0), ("rx", 1)):
                if uart[role] % 4 != place or (uart[role] + 4) // 8 % 2 != uart["id"]:
                    found.append(f"{name}.{role}: pin {uart[role]} cannot be it")
    return found


def flash_faults(flash):
    found = []
    end = 0
    for name, start, size in flash["regions"]:
        if start < end:
            found.append(f"region {name} overlaps the one before")
        if start % flash["block"] or size % flash["block"] or size <= 0:
            found.append(f"region {name} is not whole erase blocks")
        end = start + size
    if end > flash["size"]:
        found.append("the regions are larger than the flash")
    if end < flash["size"]:
        found.append(f"{flash['size'] - end} bytes at the end are nobody's")
    for before, after in itertools.pairwise(flash["regions"]):
        if before[1] + before[2] < after[1]:
            found.append(f"between {before[0]} and {after[0]} are bytes that are nobody's")
    regions = {name: (start, size) for name, start, size in flash["regions"]}
    if len(regions) != len(flash["regions"]):
        found.append("two regions of one name")
    if "files" not in regions:
        found.append("no region for files")
    return found + room_faults(flash, regions)


def room_faults(flash, regions):
    """Return what does not fit: two firmwares in the files, segments in the journal, ESP-IDF."""
    found = []
    wanted = site_rules.SLOTS_BYTES + site_rules.SPARE_BYTES
    if regions.get("files", (0, wanted))[1] < wanted + ("journal" not in regions) * _JOURNAL_LEAST:
        found.append("the files have no room for two firmwares and what is beside them")
    if "journal" in regions and regions["journal"][1] < _JOURNAL_LEAST:
        found.append("the journal has no room")
    if "partitions" in regions:  # ESP-IDF, "Partition Tables"
        if regions["partitions"] != (0x8000, 0x1000):
            found.append("the partition table is at 0x8000 and has 0x1000 bytes")
        if regions["firmware"][0] % 0x10000:
            found.append("an application begins at a multiple of 64 KB")
        if regions.get("nvs", (0, 0))[1] < 0x3000:
            found.append("nvs has at least three blocks")
    return found


def test_there_are_the_boards_of_the_plan():
    assert {"host", "rpi_pico_w", "rpi_pico2_w", "esp32_generic", "esp32_s3", "esp32_poe"} <= set(
        NAMES
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_board_can_be(name):
    doc = importlib.import_module(f"boards.{name}").__doc__
    assert faults(name, load(name), doc) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_board_is_one_literal_and_nothing_else(name):
    tree = ast.parse((ROOT / "boards" / f"{name}.py").read_text())
    docstring, assignment = tree.body
    assert isinstance(docstring, ast.Expr)
    assert isinstance(assignment, ast.Assign)
    assert ast.literal_eval(assignment.value) == load(name)


@pytest.mark.parametrize("name", NAMES)
def test_each_port_has_a_hal(name):
    hal = {"unix": "host"}.get(load(name)["port"], load(name)["port"])
    assert (ROOT / "firmware" / "hal" / f"{hal}.py").exists()


def _region(name, start, size, called=""):
    """Return what gives a region of a board another place, or name."""

    def spoil(board):
        board["flash"]["regions"] = tuple(
            (called or name, start, size) if row[0] == name else row
            for row in board["flash"]["regions"]
        )

    return spoil


@pytest.mark.parametrize(
    ("name", "spoil", "says"),
    [
        ("rpi_pico_w", lambda b: b["uarts"]["uart0"].update(tx=4), "pin 4 cannot be it"),
        ("rpi_pico_w", lambda b: b["uarts"]["uart1"].update(direction=1), "pin 1 is uart0.rx"),
        ("rpi_pico_w", lambda b: b["uarts"]["uart1"].update(direction=25), "pin 25 is taken"),
        ("rpi_pico_w", lambda b: b["pins"].update(in1=4), "pin 4 is uart1.tx and in1.input"),
        ("rpi_pico_w", lambda b: b.update(watchdog_ms=9000), "watchdog_ms 9000"),
        ("esp32_generic", lambda b: b["uarts"]["uart1"].update(tx=35), "pin 35 only reads"),
        ("esp32_generic", lambda b: b["uarts"]["uart1"].update(tx=24), "there is no pin 24"),
        ("esp32_poe", lambda b: b["uarts"]["uart2"].update(tx=17), "pin 17 is uart2.tx"),
        ("esp32_s3", lambda b: b["uarts"]["uart1"].update(rx=35), "pin 35 is taken"),
        ("rpi_pico_w", lambda b: b.update(fifo=128), "fifo 128"),
        ("rpi_pico_w", lambda b: b["flash"].update(erase_ms=0), "erase_ms 0"),
        ("esp32_s3", lambda b: b["flash"].update(size=4194304), "larger than the flash"),
        (
            "esp32_s3",
            lambda b: b["flash"].update(regions=(("files", 0, 8192), ("x", 4096, 4096))),
            "overlaps",
        ),
        ("esp32_s3", lambda b: b["flash"].update(size=33554432), "at the end are nobody's"),
        ("rpi_pico_w", _region("firmware", 0, 1224704), "between firmware and files"),
        ("rpi_pico_w", _region("files", 1499136, 598016), "no room for two firmwares"),
        ("esp32_poe", _region("journal", 4161536, 32768), "the journal has no room"),
        ("esp32_poe", _region("partitions", 36864, 4096), "the partition table is at 0x8000"),
        ("esp32_poe", _region("firmware", 69632, 2027520), "a multiple of 64 KB"),
        ("esp32_poe", _region("nvs", 36864, 8192), "at least three blocks"),
        ("esp32_poe", _region("nvs", 36864, 8192, "files"), "two regions of one name"),
        ("host", lambda b: b.pop("heap"), "heap is not"),
    ],
)
def test_each_fault_is_found(name, spoil, says):
    import copy

    board = copy.deepcopy(load(name))
    spoil(board)
    assert any(says in fault for fault in faults(name, board, "Source: here")), says
