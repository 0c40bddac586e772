"""`eclor scan --protocol mbus` on a paced line with meters that share addresses."""

import json
import signal
import subprocess
import sys
import threading
from decimal import Decimal
from pathlib import Path

import pytest

from drivers import load_map
from host_tools.desk.mbus_scan import MBusScan, line_at
from host_tools.desk.wires import SerialWire, open_serial
from host_tools.sim.lines import LineSettings
from host_tools.sim.mbus_meter import MBusMeter
from host_tools.sim.workbench import SerialBench

ROOT = Path(__file__).resolve().parents[2]
_FAST = LineSettings(9600, 8, "E", 1)
_WAIT_MS = 80  # for an answer, on a busy computer


class Wire(SerialWire):
    """A serial wire that also tells the line its parity, which a pseudo-terminal drops."""

    def __init__(self, bench, line):
        self.bench = bench
        super().__init__(bench.path, line)

    def configure(self, line):
        super().configure(line)
        self.bench.hears(LineSettings(*line))


def _meter(address, identity, name="itron_cyble"):
    return MBusMeter(
        load_map(name), address, lambda point, unit, now_s: Decimal(12), identity=identity
    )


def _meters():
    return [
        _meter(3, "12345678C5140004"),
        _meter(0, "22345679C5140007"),
        _meter(0, "99000001A7320002", "engelmann_sensostar2"),
    ]


def test_meters_are_found_by_address_and_those_that_share_one_by_identification():
    shown: list[str] = []
    with SerialBench(_meters(), _FAST) as bench:
        wire = Wire(bench, line_at(9600))
        scan = MBusScan(wire, (2400, 9600), (0, 1, 3), wait_ms=_WAIT_MS, on_progress=shown.append)
        hits = list(scan.run())
        wire.close()
    assert [(hit.address, hit.secondary) for hit in hits] == [
        (3, "12345678C5140004"),
        (None, "22345679C5140007"),
        (None, "99000001A7320002"),
    ]
    assert all(hit.line == (9600, 8, "E", 1) for hit in hits)
    assert hits[0].maker == "EFE" and hits[0].medium == "heat" and hits[0].records > 1
    assert hits[0].maps[0][0] == "itron_cyble"
    assert hits[2].maps[0][0] == "engelmann_sensostar2"
    assert scan.garbled == [((9600, 8, "E", 1), "address 0")]
    assert any("identification 2FFFFFFF" in text for text in shown)
    assert any("is anybody there" in text for text in shown)


def test_two_meters_of_one_identification_are_told_and_a_silent_line_finds_nothing():
    twins = [_meter(1, "00000001C5140004"), _meter(2, "00000001A7320004")]
    with SerialBench(twins, _FAST) as bench:
        wire = Wire(bench, line_at(9600))
        scan = MBusScan(wire, (9600,), (), wait_ms=_WAIT_MS)
        assert list(scan.run()) == []
        wire.close()
    assert scan.garbled == [((9600, 8, "E", 1), "identification 00000001")]
    with SerialBench([], _FAST) as bench:
        wire = Wire(bench, line_at(9600))
        scan = MBusScan(wire, (9600,), (1, 2), wait_ms=20)
        assert list(scan.run()) == [] and scan.garbled == []
        wire.close()


def _run(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "host_tools", "scan", "--protocol", "mbus", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_shows_hits_and_the_command_that_reads_one():
    line = LineSettings(9600, 8, "N", 1)  # a pseudo-terminal has no parity
    with SerialBench([_meter(3, "12345678C5140004")], line) as bench:
        bench.hears(line)
        process = _run("--port", bench.path, "--units", "3", "--bauds", "9600", "--json")
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    (hit,) = [json.loads(text) for text in out.splitlines()]
    assert (hit["address"], hit["secondary"]) == (3, "12345678C5140004")
    assert hit["maps"][0]["map"] == "itron_cyble"
    assert f"eclor read --map itron_cyble --port {bench.path} --baud 9600 --unit 3" in err
    assert "1 found" in err


def test_ctrl_c_keeps_what_was_found():
    line = LineSettings(9600, 8, "N", 1)
    with SerialBench([_meter(0, "12345678C5140004")], line) as bench:
        bench.hears(line)
        process = _run("--port", bench.path, "--bauds", "9600")
        told = []
        reader = threading.Thread(target=lambda: told.append(process.stdout.readline()))
        reader.start()
        reader.join(30)
        assert told and "12345678C5140004" in told[0], "shown while the scan goes on"
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert "interrupted, 1 found" in process.stderr.read()
        process.stdout.close()
        process.stderr.close()


@pytest.mark.parametrize("arguments", [("--units", "251"), ("--bauds", "x")])
def test_what_no_m_bus_has_is_refused(arguments):
    process = _run("--port", "/dev/absent", *arguments)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2 and "addresses are 0 .. 250" in err


def test_an_adapter_that_hears_itself_is_no_answer():
    class Echo:
        name = "echo"

        def __init__(self):
            self.kept = b""

        def configure(self, line):
            pass

        def write(self, data):
            self.kept = data

        def read(self, wait_s):
            kept, self.kept = self.kept, b""
            return kept if wait_s else b""

        def close(self):
            pass

    scan = MBusScan(Echo(), (9600,), (1,), wait_ms=5)
    assert list(scan.run()) == [] and scan.garbled == []


def test_a_port_that_is_there_is_opened_at_the_rate_of_m_bus():
    with SerialBench([], _FAST) as bench:
        open_serial(bench.path, line_at(2400)).close()
