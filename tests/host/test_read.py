"""`eclor read` against simulated meters on paced terminals and on sockets."""

import json
import os
import socket
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from drivers import load_map
from host_tools.desk import reader, wires
from host_tools.desk.reader import Request, read_meter
from host_tools.problems import DEVICE, INPUT, MISSING, NETWORK, USAGE, Problem
from host_tools.sim.level_meter import LevelMeter
from host_tools.sim.lines import LineSettings
from host_tools.sim.modbus_faults import Faults
from host_tools.sim.modbus_meter import ModbusMeter
from host_tools.sim.workbench import SerialBench, SocketBench
from tests.typed import eclor

ROOT = Path(__file__).resolve().parents[2]
_SDM120 = LineSettings(2400, 8, "N", 1)
_VALUES = {"voltage": Decimal("230.4"), "energy_import": Decimal("9113025"), "power": -12}


def _value(name, now_s):
    return _VALUES.get(name, 1)


def _shown(values):
    return {v.name: (v.value, v.unit, v.quality) for v in values}


def test_every_point_of_a_meter_on_a_serial_line():
    with SerialBench([ModbusMeter(load_map("sdm120"), 1, _value)], _SDM120) as bench:
        values = read_meter(Request("sdm120", port=bench.path))
    assert len(values) == len(load_map("sdm120")["points"])
    shown = _shown(values)
    assert shown["voltage"] == ("230.4", "V", "good")
    assert shown["energy_import"] == ("9113025", "Wh", "good")
    assert shown["power"] == ("-12.0", "W", "good")


def test_the_command_prints_five_fields_of_json_in_their_order():
    with SerialBench([ModbusMeter(load_map("sdm120"), 1, _value)], _SDM120) as bench:
        done = eclor(
            "read", "--map", "sdm120", "--port", bench.path, "--point", "voltage", "--json"
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert list(json.loads(done.stdout).items()) == [
        ("code", "fc4:0x0000"),
        ("name", "voltage"),
        ("value", "230.4"),
        ("unit", "V"),
        ("quality", "good"),
    ]


@pytest.mark.parametrize("rtu", [False, True])
def test_a_meter_behind_a_socket(rtu):
    transport = "rtu_tcp" if rtu else "tcp"
    meter = ModbusMeter(load_map("em24_e1"), 7, _value, transport=transport)
    with SocketBench([meter]) as bench:
        request = Request(
            "em24_e1", tcp=f"127.0.0.1:{bench.port}", rtu_over_tcp=rtu, options={"unit": 7}
        )
        assert _shown(read_meter(request))["energy_import"] == ("9113000", "Wh", "good")


def test_a_meter_that_only_speaks_is_heard():
    sensor = LevelMeter(load_map("a02yyuw"), lambda name, unit, now_s: Decimal("1.234"))
    line = LineSettings(9600, 8, "N", 1)
    with SerialBench([], line) as bench:
        for _ in range(3):
            bench.say(sensor.frame(0.0)[0])
        values = read_meter(
            Request("a02yyuw", port=bench.path, options={"empty_mm": 2000, "full_mm": 100})
        )
    assert _shown(values)["distance"] == ("1.234", "m", "good")


def test_a_refused_block_and_a_lost_answer_leave_no_point_out():
    faults = Faults(("exception:2", "silence", "crc"))
    meter = ModbusMeter(load_map("sdm120"), 1, _value, faults=faults)
    with SerialBench([meter], _SDM120) as bench:
        values = read_meter(Request("sdm120", port=bench.path, options={"reply_ms": 200}))
    assert {v.quality for v in values} == {"good"}
    assert faults.applied[:3] == ["exception:2", "silence", "crc"]


def test_silence_another_rate_and_a_garbled_line_say_what_to_do():
    quick = {"reply_ms": 60, "points": ["power"]}
    with SerialBench([ModbusMeter(load_map("sdm120"), 1, _value)], _SDM120) as bench:
        with pytest.raises(Problem, match=r"no answer of unit 9 on .* at 2400 8N1") as silent:
            read_meter(Request("sdm120", port=bench.path, options={"unit": 9, **quick}))
        with pytest.raises(Problem, match="9600 8N1"):
            read_meter(Request("sdm120", port=bench.path, baud=9600, options=quick))
    assert silent.value.code == DEVICE and f"eclor scan --port {bench.path}" in silent.value.remedy
    always = Faults(("crc",), repeat=True)
    meter = ModbusMeter(load_map("sdm120"), 1, _value, faults=always)
    with SerialBench([meter], _SDM120) as bench:
        with pytest.raises(Problem, match="no whole answer of unit 1") as garbled:
            read_meter(Request("sdm120", port=bench.path, options=quick))
    assert "parity" in garbled.value.remedy


@pytest.mark.parametrize(
    ("fault", "words", "remedy"),
    [
        ("exception:6", "exception 6, device busy", "repeat"),
        ("exception:11", "exception 11, gateway target failed to respond", "behind the gateway"),
        ("count", "expected", "--rtu"),
        ("silence", "which took the connection", "255"),
    ],
)
def test_what_a_device_behind_a_socket_said_is_told(fault, words, remedy):
    faults = Faults((fault,), repeat=True)
    meter = ModbusMeter(load_map("em24_e1"), 1, _value, transport="tcp", faults=faults)
    with SocketBench([meter]) as bench:
        options = {"points": ["power"], "reply_ms": 60}
        with pytest.raises(Problem) as found:
            read_meter(Request("em24_e1", tcp=f"127.0.0.1:{bench.port}", options=options))
    assert words in str(found.value) and remedy in found.value.remedy


def test_another_parity_is_told_as_such():
    meter = ModbusMeter(load_map("iem3155"), 1, _value)  # 19200 8E1 from the factory
    with SerialBench([meter], LineSettings(19200, 8, "E", 1)) as bench:
        bench.hears(LineSettings(19200, 8, "N", 1))
        with pytest.raises(Problem, match="19200 8N1"):
            read_meter(Request("iem3155", port=bench.path, parity="n", options={"reply_ms": 60}))
        bench.hears(LineSettings(19200, 8, "E", 1))
        assert _shown(read_meter(Request("iem3155", port=bench.path)))


@pytest.mark.parametrize(
    ("request_", "code", "remedy"),
    [
        (Request("sdm12", port="x"), INPUT, "sdm120"),
        (Request("sdm120"), USAGE, "--port"),
        (Request("sdm120", port="x", tcp="y"), USAGE, "--port"),
        (Request("sdm120", port="/dev/absent"), DEVICE, ""),
        (Request("sdm120", tcp="127.0.0.1:none"), USAGE, "192.168"),
        (Request("sdm120", port="x", options={"unit": 300}), USAGE, "--unit"),
        (
            Request("sdm120", port="x", options={"points": ["volt"]}),
            USAGE,
            "did you mean voltage?",
        ),
        (Request("icoms_tma", port="x"), USAGE, "eclor parse"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_next_step(request_, code, remedy):
    with pytest.raises(Problem) as found:
        read_meter(request_)
    assert found.value.code == code and remedy in found.value.remedy


def test_a_port_in_use_and_a_port_not_permitted_are_told_apart(monkeypatch):
    with SerialBench([]) as bench:
        held = wires.open_serial(bench.path, (9600, 8, "N", 1))
        with pytest.raises(Problem, match="used by another program"):
            wires.open_serial(bench.path, (9600, 8, "N", 1))
        held.close()

    def refused(*_):
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(wires, "SerialWire", refused)
    with pytest.raises(Problem, match="permission denied") as found:
        wires.open_serial("/dev/null", (9600, 8, "N", 1))
    assert found.value.code == MISSING and "usermod" in found.value.remedy


def test_a_host_that_refuses_or_hangs_up_is_a_problem_of_the_network():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Problem, match="refused") as found:
        read_meter(Request("sdm120", tcp=f"127.0.0.1:{port}"))
    assert found.value.code == NETWORK
    with socket.create_server(("127.0.0.1", 0)) as server:
        wire = reader.open_socket(f"127.0.0.1:{server.getsockname()[1]}")
        server.accept()[0].close()
        with pytest.raises(reader.LinkDown, match="closed the connection"):
            wire.read(1.0)
        wire.close()


def test_no_number_of_a_household_is_shown_unless_asked_for():
    done = eclor("read", "--map", "linky_standard", "--port", "/dev/absent", "--identities")
    assert done.returncode == DEVICE and "/dev/absent" in done.stderr


def test_the_mock_says_where_it_is_and_answers_there_with_its_faults():
    mock = subprocess.Popen(
        [
            *(sys.executable, "-m", "host_tools", "mock", "--map", "sdm120", "--seconds", "30"),
            *("--value", "voltage=231.5", "--fault", "silence", "--fault", ""),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert mock.stdout
    try:
        path = mock.stdout.readline().strip()
        options = {"points": ["voltage"], "reply_ms": 100}
        values = read_meter(Request("sdm120", port=path, options=options))
    finally:
        mock.terminate()
        mock.wait(10)
        mock.stdout.close()
    assert _shown(values) == {"voltage": ("231.5", "V", "good")}
