"""The whole gateway as a Pico W and as an Olimex ESP32-POE would start it, on simulated silicon.

The interpreter is the real MicroPython, the firmware the whole of it from main.py on; only the
modules of the chip are fakes, in real time. It joins its network, asks its meter, says who it is.
"""

import subprocess
from pathlib import Path

import pytest

from host_tools.packing.image import compile_all, settings_files
from tests.on_micropython import interpreter

ROOT = Path(__file__).resolve().parent.parent.parent
_SCRIPT = """
import asyncio, os, sys, time
from tests.fakes import chip as fake

class Real(fake.Time):
    now_us = property(lambda self: time.ticks_us(), lambda self, value: None)
    def __init__(self):
        self.cost_us = 0

class Platform:
    root = sys.argv[1]
    def reset(self):
        print("RESET")

port, board = sys.argv[2], sys.argv[3]
chip = fake.Chip()
chip.time = Real()
chip.networks = {"mairie": "long-enough"}
chip.install()
from firmware import hal as hal_
module = __import__("firmware.hal." + port, None, None, ("Hal",))
hal_.make = lambda platform, wired: module.Hal(platform, wired)
from firmware import loop, main

async def look(seconds):
    for _ in range(seconds * 50):
        await asyncio.sleep_ms(20)
        if chip.station:
            chip.station.settle()
        if chip.lan and chip.lan.active():
            chip.lan.plugged = fake.Network.ETH_GOT_IP
        uart = chip.uarts.get(1)
        if uart and len(uart.frames) > 1:
            break
    wiring = __import__("boards." + board, None, None, ("BOARD",)).BOARD["uarts"]["uart1"]
    start, end, request = uart.frames[0]
    pin = chip.pins[wiring["direction"]]
    print("REQUEST", "".join(["%02x" % b for b in request]), uart.line, uart.settings["tx"].number)
    print("TURNED", [level for _, level in pin.levels][:3])
    sys.exit(0)

started = loop._main
async def with_a_look(app, hal):
    asyncio.create_task(look(10))
    await started(app, hal)
loop._main = with_a_look
main.start(Platform(), "a", ["a", "-", 0, 0, 0, ""])
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """The firmware as a slot has it: to compile sources takes heap that no board gives."""
    folder = tmp_path_factory.mktemp("slot")
    compile_all(folder)
    return folder


@pytest.mark.parametrize(
    ("port", "board", "network", "said"),
    [
        (
            "rp2",
            "rpi_pico_w",
            {"wifi": [{"ssid": "gone"}, {"ssid": "mairie", "key": "long-enough"}]},
            "mairie: up",
        ),
        ("esp32", "esp32_poe", {}, "ethernet: up"),
    ],
)
def test_a_chip_starts_joins_and_asks(tmp_path, compiled, port, board, network, said):
    configuration = {
        "gateway": "gw",
        "board": board,
        "ports": [{"name": "line", "uart": "uart1", "baud": 19200, "rs485": True}],
        "meters": [
            {
                "name": "m",
                "port": "line",
                "protocol": "modbus",
                "map": "sdm630",
                "interval_s": 1,
                "points": ["power"],
                "options": {"unit": 7},
            }
        ],
        "network": network,
        "uplink": {"host": "127.0.0.1", "port": 9},
    }
    for name, data in settings_files(configuration).items():
        (tmp_path / name[1:]).write_bytes(data)
    script = tmp_path / "script.py"
    script.write_text(_SCRIPT)
    done = subprocess.run(
        [interpreter(), "-X", "heapsize=384k", str(script), str(tmp_path), port, board],
        cwd=ROOT,
        env={"MICROPYPATH": f"{compiled}:.:.frozen"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    output = done.stdout + done.stderr
    assert said in output, output
    assert "start by power" in output, output
    assert "REQUEST 07" in output and "(19200, 8, None, 1) 4" in output, output
    assert "TURNED [0, 1, 0]" in output, output
    assert "Traceback" not in output and "error" not in output.lower(), output
