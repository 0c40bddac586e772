"""`eclor write` against libmodbus, which keeps what is written, and against our mock."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from drivers import load_map
from host_tools.desk.writer import Write, write
from host_tools.problems import DEVICE, USAGE, Problem
from host_tools.sim.modbus_faults import Faults
from host_tools.sim.modbus_meter import ModbusMeter
from host_tools.sim.workbench import SerialBench, SocketBench
from tests.fakes import libmodbus
from tests.skips import skip

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("function", "values"), [(5, [1]), (6, [0x1234]), (15, [1, 0, 1]), (16, [7, 0xFFFF])]
)
def test_what_is_written_is_held_and_shown(function, values):
    lib = libmodbus.library()
    if lib is None:
        skip("libmodbus is not installed: apt-get install libmodbus5")
    with libmodbus.Server(lib, 1) as server:
        assert write(Write(function, 40, values, tcp=f"127.0.0.1:{server.port}")) == values


def test_a_refusal_and_silence_are_told_apart():
    refusing = ModbusMeter(
        load_map("sdm120"), 1, lambda p, now: 1, faults=Faults(("exception:2",), repeat=True)
    )
    with SerialBench([refusing]) as bench:
        with pytest.raises(Problem, match="exception 2, illegal data address") as found:
            write(Write(6, 28, [5], port=bench.path))
        assert found.value.code == DEVICE
        with pytest.raises(Problem, match="unit 9 did not answer"):
            write(Write(6, 28, [5], unit=9, port=bench.path))


def test_a_broadcast_reaches_every_unit_and_waits_for_none():
    meters = [ModbusMeter(load_map("sdm120"), unit, lambda p, now: 1) for unit in (1, 2)]
    with SerialBench(meters) as bench:
        assert write(Write(6, 28, [5], everyone=True, port=bench.path)) == []
    assert [meter.written for meter in meters] == [[(6, 28, [5])]] * 2


def test_values_that_cannot_be_are_refused_before_the_port_is_opened():
    with pytest.raises(Problem) as found:
        write(Write(6, 28, [5], unit=300, port="/dev/absent"))
    assert found.value.code == USAGE


def test_the_command_says_what_was_written_and_what_is_held():
    meter = ModbusMeter(load_map("sdm120"), 1, lambda p, now: 1, transport="tcp")
    with SocketBench([meter]) as bench:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "host_tools", "write", "0x1c", "5", "--json"),
                *("--tcp", f"127.0.0.1:{bench.port}"),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert meter.written == [(6, 28, [5])]
    told = json.loads(done.stdout)
    assert (told["address"], told["written"]) == (28, [5])
    assert done.returncode == 1, "the mock does not hold it, and that is said"
