"""`eclor scan` on a paced line that garbles what comes at a wrong rate or parity."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from drivers import load_map
from host_tools.desk.identify import fits
from host_tools.desk.master import Master
from host_tools.desk.scan import SETTINGS, UNITS, Scan, frame_in, units_of
from host_tools.desk.wires import SerialWire, open_serial, open_socket
from host_tools.planning.map_file import map_names
from host_tools.problems import DEVICE, Problem
from host_tools.sim.lines import LineSettings
from host_tools.sim.loads import Day, Quantities
from host_tools.sim.modbus_faults import Faults, crc
from host_tools.sim.modbus_meter import ModbusMeter
from host_tools.sim.remote_port import RemotePort
from host_tools.sim.workbench import SerialBench, SocketBench

ROOT = Path(__file__).resolve().parents[2]
_TEXTS = "text"


def _meter(name, unit, **options):
    table = load_map(name)
    quantities = Quantities(Day("household"), name)
    rows = {row[0]: row for row in table["points"]}

    def value(point, now_s):
        if rows[point][3] == _TEXTS:
            return b"SIM"
        return quantities.value(point, rows[point][1], now_s)

    return ModbusMeter(table, unit, value, holes=False, **options)


class Wire(SerialWire):
    """A serial wire that also tells the line its parity, which a pseudo-terminal drops."""

    def __init__(self, bench, line):
        self.bench = bench
        super().__init__(bench.path, line)

    def configure(self, line):
        super().configure(line)
        self.bench.hears(LineSettings(*line))


def _scan(bench, **options):
    options = {"units": [1, 2, 3, 17], "wait_ms": 40, "identify": False, **options}
    return Scan(Wire(bench, SETTINGS[0][0]), **options)


@pytest.mark.parametrize("line", [(9600, 8, "E", 1), (2400, 8, "N", 1), (19200, 8, "O", 1)])
def test_meters_are_found_at_their_rate_and_parity_and_the_rest_is_excluded(line):
    meters = [_meter("sdm120", 2), _meter("em340", 17)]
    seen: list[Any] = []
    with SerialBench(meters, LineSettings(*line)) as bench:
        scan = _scan(bench)
        scan.on_progress = lambda progress: seen.append((scan.hits[:], progress))
        hits = list(scan.run())
        scan.wire.close()
    assert [(hit.line, hit.unit) for hit in hits] == [(line, 2), (line, 17)]
    asked = sum(len(meter.requests) for meter in meters)
    assert asked == 2, "each meter was asked once, nothing twice"
    assert all(now.line == line and now.left < 4 for hits, now in seen if hits)


def test_the_likeliest_is_asked_first_and_progress_counts_down():
    seen: list[Any] = []
    with SerialBench([_meter("sdm630", 1)]) as bench:
        scan = _scan(bench, units=UNITS[:40], on_progress=seen.append)
        first = next(scan.run())
        scan.wire.close()
    assert (first.line, first.unit) == (SETTINGS[0][0], 1)
    assert not seen, "the first question found it"
    scan = Scan.__new__(Scan)
    scan.settings, scan.units = SETTINGS, UNITS
    queue = scan._queue()
    assert len(set(queue)) == len(queue) == len(SETTINGS) * len(UNITS)
    assert queue[0] == ((9600, 8, "N", 1), 1)
    assert queue.index(((2400, 8, "N", 1), 1)) < queue.index(((9600, 8, "N", 1), 100))


def test_progress_and_time_left_shrink_and_end_at_nothing():
    seen: list[Any] = []
    with SerialBench([]) as bench:
        scan = _scan(bench, settings=SETTINGS[:2], units=[1, 2], on_progress=seen.append)
        assert list(scan.run()) == []
        scan.wire.close()
    assert [p.left for p in seen] == [3, 2, 1, 0] * 2, "function 3, then function 4"
    assert seen[0].left_s > seen[1].left_s > seen[3].left_s == 0
    assert 0.05 < seen[0].left_s < 2


def test_a_line_on_which_another_master_talks_is_refused():
    request = bytes((5, 3, 0, 0, 0, 2))
    request += crc(request)
    with SerialBench([_meter("sdm630", 1)]) as bench:
        scan = _scan(bench)
        bench.say(request)
        with pytest.raises(Problem, match="a request to unit 5 came unasked") as found:
            scan.listen(0.3)
        scan.wire.close()
    assert found.value.code == DEVICE and "disconnect the other master" in found.value.remedy


def test_another_master_that_begins_later_ends_the_scan_and_hits_are_kept():
    request = bytes((5, 3, 0, 0, 0, 2))
    request += crc(request)
    with SerialBench([_meter("sdm630", 1)]) as bench:
        scan = _scan(bench, units=range(1, 100), on_progress=lambda _: bench.say(request))
        scan.listen(0.05)
        with pytest.raises(Problem, match="unasked"):
            list(scan.run())
        scan.wire.close()
    assert [hit.unit for hit in scan.hits] == [1]


def test_a_late_answer_is_a_hit_of_the_meter_that_gave_it():
    meter = _meter("sdm630", 2, faults=Faults(("late",), late_ms=90))
    with SerialBench([meter]) as bench:
        scan = _scan(bench, settings=SETTINGS[:1], units=[2, 3, 4, 5])
        assert [hit.unit for hit in scan.run()] == [2]
        scan.wire.close()
    assert len(meter.requests) <= 2  # twice where the computer was late too


class Echo:
    """An adapter that hears itself."""

    def received(self, data, now):
        return [(0.0, data)]

    def silence(self):
        pass


def test_an_adapter_that_hears_itself_is_neither_a_meter_nor_a_master():
    with SerialBench([Echo()]) as bench:
        scan = _scan(bench, settings=SETTINGS[:1])
        assert (list(scan.run()), scan.garbled) == ([], [])
        scan.wire.close()


def test_an_echo_is_no_answer_and_a_garbled_answer_is_told():
    echo = Faults(("echo",), repeat=True)
    broken = Faults(("crc",), repeat=True)
    with SerialBench(
        [_meter("sdm630", 2, faults=echo), _meter("em340", 3, faults=broken)]
    ) as bench:
        scan = _scan(bench, settings=SETTINGS[:1])
        assert [hit.unit for hit in scan.run()] == [2]
        scan.wire.close()
    assert scan.garbled == [((9600, 8, "N", 1), 3)]


def test_the_command_refuses_a_line_on_which_somebody_polls():
    request = bytes((5, 3, 0, 0, 0, 2))
    request += crc(request)
    with SerialBench([_meter("sdm630", 1)]) as bench:
        process = _run("--port", bench.path, "--listen-s", "20")
        while process.poll() is None:
            bench.say(request)
            time.sleep(0.2)  # the other master's period
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (DEVICE, "")
    assert "somebody else is talking on this line" in err and "disconnect" in err


@pytest.mark.parametrize("name", ["sdm630", "em24_rs485", "abb_b23", "sunspec_103", "iem3155"])
def test_the_map_that_fits_is_named(name):
    with SocketBench([_meter(name, 1, transport="tcp")]) as bench:
        wire = open_socket(f"127.0.0.1:{bench.port}")
        found = fits(Master(wire, (9600, 8, "N", 1)), 1, {"transport": "tcp", "wait_ms": 0})
        wire.close()
    assert found[0].map == name, found
    if name != "iem3155":
        assert found[0].score == 100 and len(found) == 1


def test_a_meter_with_a_code_that_nobody_knows_is_found_by_its_values():
    meter = _meter("sdm630", 1, transport="tcp")
    meter._identity[3, 0xFC02] = 0x0777
    with SocketBench([meter]) as bench:
        wire = open_socket(f"127.0.0.1:{bench.port}")
        found = fits(Master(wire, (9600, 8, "N", 1)), 1, {"transport": "tcp", "wait_ms": 0})
        wire.close()
    assert "sdm630" in [fit.map for fit in found]
    assert max(fit.score for fit in found) < 100


@pytest.mark.slow
def test_every_map_is_among_those_that_fit_its_own_meter():
    for name in map_names("modbus"):
        with SocketBench([_meter(name, 1, transport="tcp")]) as bench:
            wire = open_socket(f"127.0.0.1:{bench.port}")
            found = fits(Master(wire, (9600, 8, "N", 1)), 1, {"transport": "tcp", "wait_ms": 0})
            wire.close()
        assert name in [fit.map for fit in found], (name, found)


def test_addresses_behind_a_gateway_are_found_over_tcp():
    absent = Faults(("exception:11",), repeat=True)
    meters = [
        _meter("sdm630", 3, transport="tcp"),
        _meter("em340", 5, transport="tcp", faults=absent),
    ]
    with SocketBench(meters) as bench:
        wire = open_socket(f"127.0.0.1:{bench.port}")
        scan = Scan(wire, SETTINGS[:1], range(1, 7), transport="tcp", wait_ms=40)
        hits = list(scan.run())
        wire.close()
    assert [(hit.unit, hit.fits[0].map) for hit in hits] == [(3, "sdm630")]


def test_requests_and_answers_are_told_apart():
    def whole(*body):
        return bytes(body) + crc(bytes(body))

    assert frame_in(whole(5, 3, 0, 0, 0, 2)) == ("request", 5)
    assert frame_in(b"\xff" + whole(5, 3, 4, 1, 2, 3, 4)) == ("answer", 5)
    assert frame_in(whole(5, 0x83, 2)) == ("answer", 5)
    assert frame_in(whole(5, 1, 3, 0, 0, 0)) == ("answer", 5)
    assert frame_in(os.urandom(3)) == ("", 0)


def _run(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "host_tools", "scan", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_the_command_shows_hits_and_the_command_that_reads_them():
    with SerialBench([_meter("sdm630", 4)], LineSettings(19200, 8, "N", 1)) as bench:
        bench.hears(LineSettings(19200, 8, "N", 1))
        process = _run("--port", bench.path, "--units", "3-5", "--listen-s", "0.1", "--json")
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    (hit,) = [json.loads(line) for line in out.splitlines()]
    assert (hit["unit"], hit["maps"][0]["map"]) == (4, "sdm630")
    assert re.match(r"19200 8[NEO]1", hit["line"]), "a pseudo-terminal has no parity"
    assert f"eclor read --map sdm630 --port {bench.path} --baud 19200" in err
    assert "left" in err


def test_the_commands_find_and_read_a_meter_by_its_parity():
    line, parity = (19200, 8, "O", 1), "O"
    meter = _meter("em340", 3)
    with SerialBench([meter], LineSettings(*line)) as bench, RemotePort(bench) as port:
        place = ("--port", port.url)
        scan = _run(*place, "--units", "3", "--listen-s", "0.1", "--wait-ms", "60", "--json")
        out, err = scan.communicate(timeout=100)
        assert scan.returncode == 0, err
        (hit,) = [json.loads(row) for row in out.splitlines()]
        assert (hit["line"], hit["unit"]) == (f"{line[0]} 8{parity}1", 3)
        assert hit["maps"][0]["map"] == "em340"
        said = (
            f"eclor read --map em340 --port {port.url} --baud {line[0]} --parity {parity} --unit 3"
        )
        assert said in err
        words = [*said.split()[1:], "--point", "power", "--json"]
        codes = {}
        for tried in "NO":
            words[words.index("--parity") + 1] = tried
            done = subprocess.run(
                [sys.executable, "-m", "host_tools", *words],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            codes[tried] = done.returncode
            if tried == parity:
                assert json.loads(done.stdout)["quality"] == "good"
        assert codes == {tried: 0 if tried == parity else DEVICE for tried in "NO"}


def test_ctrl_c_keeps_what_was_found():
    with SerialBench([_meter("sdm630", 1)]) as bench:
        process = _run("--port", bench.path, "--listen-s", "0.1")
        out = []
        reader = threading.Thread(target=lambda: out.append(process.stdout.readline()))
        reader.start()
        reader.join(30)
        assert out and "sdm630" in out[0], "shown while the scan goes on"
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        began_s = time.monotonic()
        assert process.wait(10) == 130
        assert time.monotonic() - began_s < 2
        assert "interrupted, 1 found" in process.stderr.read()
        process.stdout.close()
        process.stderr.close()


def test_a_port_that_is_not_there_is_told_before_anything_else():
    with pytest.raises(Problem, match="/dev/absent"):
        open_serial("/dev/absent", SETTINGS[0][0])


def test_addresses_are_told_one_by_one_and_as_ranges():
    assert units_of("1-4,100,247-247") == [1, 2, 3, 4, 100, 247]
    assert units_of("0-255") == list(range(256))


@pytest.mark.parametrize(
    "text", ["", "1,", "-5", "5-", "a", "²", "1-2-3", "9-3", "256", "0-99999999999"]
)
def test_what_names_no_addresses_is_refused_at_once(text):
    with pytest.raises(Problem, match="are no addresses"):
        units_of(text)
