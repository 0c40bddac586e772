"""A technician's own map, checked here, in the flash of a gateway, read from its meter."""

import threading
from decimal import Decimal

from host_tools.packing.image import build
from host_tools.planning.map_file import own_maps, read_map
from host_tools.processes.supervisor import Supervisor
from host_tools.sim.board import EmulatedBoard
from host_tools.sim.lines import LineSettings
from host_tools.sim.modbus_meter import ModbusMeter
from host_tools.sim.workbench import SerialBench

_MAP = '''"""The pump in the cellar: its manual, page 12."""

MAP = {
    "protocol": "modbus",
    "maker": "Us",
    "model": "Pump",
    "source": "its manual, page 12",
    "line": (19200, 8, "N", 1),
    "words": "CDAB",
    "max_registers": 4,
    "points": (
        ("starts", "", 0, "counter", 3, 10, "uint32"),
        ("power", "W", -1, "gauge", 3, 12, "int16", -1),
        ("running", "", 0, "state", 3, 40, "bit:3"),
    ),
}
'''


def test_a_gateway_reads_a_meter_by_the_map_of_its_technician(tmp_path):
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "pump.py").write_text(_MAP)
    table = read_map(str(tmp_path / "maps" / "pump.py"))
    port = {"name": "line", "uart": "uart1", "baud": 19200, "parity": "N"}
    meter = {"name": "cellar", "port": "line", "protocol": "modbus", "map": "pump"}
    configuration = {
        "gateway": "own",
        "board": "host",
        "ports": [port],
        "meters": [{**meter, "interval_s": 1, "options": {"unit": 9}}],
        "uplink": {"port": 1},
    }
    build(tmp_path / "gw.img", configuration, files=own_maps(tmp_path, ["pump"]))
    answers = threading.Semaphore(0)
    lines = []

    def on_line(line):
        lines.append(line)
        if "cellar answers" in line:
            answers.release()

    mock = ModbusMeter(table, 9, lambda name, now_s: Decimal(1), holes=False)
    settings = LineSettings(19200, 8, "N", 1)
    with SerialBench([mock], settings) as bench, Supervisor() as supervisor:
        board = EmulatedBoard(
            supervisor, tmp_path / "gw.img", {"uart1": bench.path}, on_line=on_line
        )
        board.power_on()
        assert answers.acquire(timeout=60), lines
        board.power_cut()
    assert mock.requests[:2] == [(3, 10, 3), (3, 40, 1)]
