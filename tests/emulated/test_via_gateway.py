"""A meter is read, and found, through the gateway's own line: its UART and its cable."""

import json
from decimal import Decimal

import pytest

from drivers import load_map
from host_tools.desk.through import open_through
from host_tools.problems import DEVICE, INPUT, OK, USAGE, Problem
from host_tools.sim.lines import LineSettings
from host_tools.sim.modbus_meter import ModbusMeter
from host_tools.sim.workbench import SerialBench
from tests.emulated.bare import await_words, deployed
from tests.typed import eclor

LINE = (9600, 8, "N", 1)


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    """The cable of a gateway with an SDM120 at address 7 on uart1."""
    table = load_map("sdm120")
    meter = ModbusMeter(table, 7, lambda name, now_s: Decimal("230.4"))
    folder = tmp_path_factory.mktemp("via")
    with SerialBench([meter], LineSettings(*LINE)) as bench:
        uarts = {"uart1": bench.path}
        with deployed(folder / "board", tmp_path_factory.getbasetemp(), uarts=uarts) as board:
            yield board


def test_a_meter_is_read_through_the_gateway(port):
    via = ("--via", "gateway", "--port", port.port, "--board", "host")
    done = eclor("read", "--map", "sdm120", "--unit", "7", *via, "--baud", "9600", "--json")
    assert done.returncode == OK, done.stderr
    values = {row["name"]: row["value"] for row in map(json.loads, done.stdout.splitlines())}
    assert values["voltage"] == "230.4"
    await_words(port, "not provisioned")  # it runs again


def test_meters_are_found_through_the_gateway(port):
    done = eclor(
        *("scan", "--via", "gateway", "--port", port.port, "--board", "host", "--json"),
        *("--units", "5-8", "--bauds", "9600", "--parities", "N", "--listen-s", "0.2"),
    )
    assert done.returncode == OK, done.stderr
    (hit,) = map(json.loads, done.stdout.splitlines())
    assert hit["unit"] == 7 and hit["line"] == "9600 8N1"
    assert "sdm120" in [fit["map"] for fit in hit["maps"]]


def test_what_cannot_be_opened_is_said(port):
    for words, code, says in (
        ({"uart": "uart9", "board": "host"}, INPUT, "host has no UART uart9"),
        ({"uart": "uart2", "board": "host"}, DEVICE, "uart2 cannot be opened"),
        ({}, INPUT, "does not know which board"),
        ({"via": "laptop"}, USAGE, "--via knows"),
    ):
        with pytest.raises(Problem) as error:
            open_through(port.port, LINE, **words)
        assert error.value.code == code and says in error.value.what
