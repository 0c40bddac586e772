"""A gateway whose meter is on the network: Modbus TCP, and serial frames through a converter."""

import threading
from decimal import Decimal

import pytest

from drivers import load_map
from host_tools.packing.image import build
from host_tools.processes.supervisor import Supervisor
from host_tools.sim.board import EmulatedBoard
from host_tools.sim.modbus_meter import ModbusMeter
from host_tools.sim.workbench import SocketBench


@pytest.mark.parametrize("transport", ["tcp", "rtu_tcp"])
def test_a_gateway_reads_a_meter_on_the_network_and_again_after_it_hung_up(tmp_path, transport):
    options = {"unit": 7}
    if transport != "tcp":
        options["transport"] = transport
    answers, lost = threading.Semaphore(0), threading.Semaphore(0)
    lines = []

    def on_line(line):
        lines.append(line)
        if "net answers" in line or "is there again" in line:
            answers.release()
        if "net: port failed" in line or "is silent" in line:
            lost.release()

    meter = ModbusMeter(
        load_map("em24_e1"), 7, lambda name, now_s: Decimal(1), transport=transport, holes=False
    )
    with Supervisor() as supervisor:
        with SocketBench([meter]) as bench:
            number = bench.port
            port = {"name": "net", "kind": "tcp", "host": "127.0.0.1", "tcp_port": number}
            row = {"name": "net", "port": "net", "protocol": "modbus", "map": "em24_e1"}
            configuration = {
                "gateway": "tcp",
                "board": "host",
                "ports": [port],
                "meters": [{**row, "interval_s": 1, "retries": 0, "options": options}],
                "uplink": {"port": 1},
            }
            build(tmp_path / "gw.img", configuration)
            board = EmulatedBoard(supervisor, tmp_path / "gw.img", {}, on_line=on_line)
            board.power_on()
            assert answers.acquire(timeout=60), lines
            bench.hang_up()
        assert lost.acquire(timeout=60), lines
        with SocketBench([meter], number):
            assert answers.acquire(timeout=60), lines
            board.power_cut()
    assert len(meter.requests) >= 4
