"""A gateway watched from beside it: through the broker of a running demonstration, on a cable."""

import json
import os
import pty
import threading
import tty
from pathlib import Path

import pytest

from agent.record import EVENT, pack_record
from host_tools.demo.demonstration import Demo
from host_tools.problems import DEVICE, MISSING, NETWORK
from host_tools.remote.monitor import Line, Picture
from host_tools.sim.plan import load_site
from tests.typed import eclor

ROOT = Path(__file__).resolve().parent.parent.parent
HOUSEHOLD = ROOT / "host_tools" / "sim" / "sites" / "household.yaml"


def test_meters_and_values_through_the_broker(tmp_path):
    with Demo(load_site(HOUSEHOLD), tmp_path / "demo") as demo:
        address = f"127.0.0.1:{demo.world.broker.mqtt_port}"
        done = eclor("monitor", "--broker", address, "--seconds", "16", "--json")
    assert done.returncode == 0, done.stderr
    rows = {row["meter"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert {"common-areas", "heat-pump", "linky", "glass-container"} <= set(rows)
    seen = {name: value for row in rows.values() for name, value in row["values"].items()}
    assert seen["voltage_l1"].endswith(" V") and float(seen["voltage_l1"].split()[0]) > 200
    assert rows["common-areas"]["answers"] > 0


def test_no_broker_and_a_silent_one_are_said():
    done = eclor("monitor", "--broker", "127.0.0.1:9", "--seconds", "1")
    assert done.returncode == NETWORK and "no broker at 127.0.0.1:9" in done.stderr


def test_a_gateway_that_proves_its_words_is_followed():
    picture, record = Picture(), bytearray(64)
    length = pack_record(record, EVENT, 1, 7, b"{}", 0, 2)
    proof = bytes(range(200, 216))
    schema = b'{"schema": {"meters": [{"name": "m", "points": []}]}}'
    picture.take("eclor/1/g/birth", schema + proof)
    picture.take("eclor/1/g/rec", bytes(record[:length]) + proof)
    assert picture.refused == 0


def test_nonsense_on_the_broker_is_counted():
    picture = Picture()
    for topic, payload in (
        ("eclor/1/g/birth", b"{}"),
        ("eclor/1/g/birth", b"\xff"),
        ("eclor/1/g/rec", b"short"),
        ("eclor/1/g/will", b"5"),
    ):
        picture.take(topic, payload)
    assert picture.refused == 4
    picture.take("something/else", b"x")
    picture.take("eclor/1/g/ack", b"x")
    assert picture.refused == 4 and picture.rows() == []


def test_a_line_of_the_log_is_taken_apart():
    assert Line.of("12 W bus: rs485-1: heat is silent\r\n") == Line(
        12, "warn", "bus", "rs485-1: heat is silent"
    )
    assert Line.of("MicroPython v1.28") == Line(0, "", "", "MicroPython v1.28")


@pytest.fixture
def cable():
    controller, terminal = pty.openpty()
    tty.setraw(terminal)
    yield controller, os.ttyname(terminal)
    os.close(controller)
    os.close(terminal)


def test_the_log_on_a_cable_without_a_word_to_the_board(cable):
    controller, path = cable
    over = threading.Event()

    def board():
        while not over.wait(0.1):
            os.write(controller, b"7 I app: gw: 1 meters\r\n7 E bus: line: failed\r\n")

    thread = threading.Thread(target=board)
    thread.start()
    done = eclor("monitor", "--port", path, "--seconds", "1", "--json")
    over.set()
    thread.join()
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {"at_s": 7, "severity": "error", "who": "bus", "text": "line: failed"} in lines
    os.set_blocking(controller, False)
    with pytest.raises(BlockingIOError):
        os.read(controller, 100)


def test_a_silent_cable_and_none_are_said(cable):
    assert eclor("monitor", "--port", cable[1], "--seconds", "0.3").returncode == DEVICE
    done = eclor("monitor", "--port", "/dev/nothing-here")
    assert done.returncode == DEVICE and "cannot be opened" in done.stderr


def test_a_conversation_needs_a_terminal(cable):
    done = eclor("console", "--port", cable[1])
    assert done.returncode == MISSING and "needs a terminal" in done.stderr
