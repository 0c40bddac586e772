"""The journal on a raw region, on the real MicroPython: power cuts, and the file read here."""

import json
import threading

from agent.record import BOOT, check_record
from agent.ring import Ring
from host_tools.packing.image import build
from host_tools.processes.supervisor import Supervisor
from host_tools.sim.board import EmulatedBoard
from tests.fakes.nor_flash import NorFlash

_LIVES = 4


def test_each_life_of_a_gateway_with_a_raw_journal_finds_the_ones_before(tmp_path):
    image = tmp_path / "gw.img"
    configuration = {
        "gateway": "raw",
        "board": "host_ring",
        "ports": [{"name": "line", "uart": "uart1"}],
        "meters": [{"name": "m", "port": "line", "protocol": "modbus", "map": "sdm120"}],
        "uplink": {"port": 1},
    }
    build(image, configuration)
    started = threading.Semaphore(0)
    lines = []

    def on_line(line):
        lines.append(line)
        if "start by" in line:
            started.release()

    with Supervisor() as supervisor:
        board = EmulatedBoard(supervisor, image, {}, on_line=on_line)
        for _ in range(_LIVES):
            board.power_on()
            assert started.acquire(timeout=30), lines
            board.power_cut()
    content = bytearray(image.with_name("gw.img.journal").read_bytes())
    from agent.journal import Journal

    journal = Journal(Ring(NorFlash(content)), lambda: 0, 262144)
    recovery = journal.start()
    assert recovery.first == 1 and recovery.torn == 0
    boots = set()
    out = bytearray(4096)
    for seq in range(1, recovery.next):
        found, length = journal.read_from(seq, out)
        kind, _, _, start, end = check_record(out, 0, length)
        assert found == seq
        if kind == BOOT:
            boots.add(json.loads(out[start:end])["boot"])
    assert len(boots) == _LIVES
