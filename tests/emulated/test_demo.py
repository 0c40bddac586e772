"""The whole path on the real MicroPython: nothing lost, nothing twice."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from host_tools.collect.collector import Collector
from host_tools.demo.demonstration import Demo
from host_tools.problems import INPUT, NETWORK, Problem
from host_tools.processes.broker import Broker
from host_tools.sim.input_meter import InputMeters
from host_tools.sim.oracle import NEAR_MS, read_database
from host_tools.sim.plan import load_site

ROOT = Path(__file__).resolve().parent.parent.parent

_SITES = sorted((ROOT / "host_tools" / "sim" / "sites").glob("*.yaml"))
# All of them with `make sites`; here the one of `make run`, and the one with most protocols.
_ALL = [path.stem for path in _SITES]
_RUN = _ALL if os.environ.get("ECLOR_SITES") else ["household", "house"]
_SECONDS = os.environ.get("ECLOR_SITES") or "10"
# What makes a site's readings arrive sooner: most of a test's time would be waiting for them.
# Not below 5 s: host_tools/sim/input_meter.py rests at such times only.
_SOONER = (("interval_s: 10", "interval_s: 5"), ("flush_s: 10", "flush_s: 2"))


@pytest.fixture
def sooner(tmp_path):
    """Return a function: the path of a copy of that site which reads and sends more often."""

    def copy(site):
        text = (_SITES[0].parent / f"{site}.yaml").read_text()
        for old, new in _SOONER:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / f"{site}.yaml"
        path.write_text(text)
        return path

    return copy


@pytest.mark.parametrize("site", _RUN)
def test_a_demo_loses_nothing_and_doubles_nothing(site, sooner):
    path = site if os.environ.get("ECLOR_SITES") else sooner(site)
    demo = ("demo", "--site", str(path), "--seconds", _SECONDS, "--headless", "--json")
    done = subprocess.run(
        [sys.executable, "-m", "host_tools", *demo],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=150 + float(_SECONDS),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["runtime"].startswith("micropython")
    assert (result["lost"], result["duplicated"], result["altered"]) == (0, 0, 0)
    assert result["answered"] > 0 and result["stored"] > 0


def test_under_tls_the_same_and_nobody_without_a_certificate_gets_in(tmp_path, sooner):
    """A broker that asks for certificates, acknowledgements under a key, a cut of the network."""
    lines: list[str] = []
    with Demo(
        load_site(sooner("household")), tmp_path / "demo", tls=True, on_line=lines.append
    ) as demo:
        _until(_grown(demo))
        port = demo.world.broker.mqtt_port
        with socket.create_connection(("127.0.0.1", port), 5) as plain:
            plain.sendall(bytes.fromhex("100f00044d5154540402003c000374"))
            assert plain.recv(4)[:1] != b"\x20", "an answer in the clear"
        demo.cut_network("reset")
        _until(lambda: demo.figures().network == "cut")
        _until(lambda: demo.figures().network == "up")
        _until(_grown(demo))
        assert demo.settle(90), lines[-20:]
        result = demo.result()
    _assert_whole(result)
    assert result["tls"] and result["stored"] > 0, result
    assert result["runtime"].startswith("micropython")


def test_what_is_stored_behind_the_last_look_is_neither_owed_nor_altered(tmp_path, mocker):
    """A gateway goes on telling the level of inputs after the meters are off."""
    site = load_site(_SITES[0].parent / "house.yaml")
    gateway = site.gateway
    gateway["ports"] = [port for port in gateway["ports"] if port["name"] == "inputs"]
    gateway["meters"] = [m | {"interval_s": 1} for m in gateway["meters"] if m["name"] == "cellar"]
    gateway["block"] = {"flush_s": 1, "size": 1024}
    # Inputs rest around full five seconds only: a period of one second would end in a change.
    mocker.patch.object(InputMeters, "_changes", return_value=False)

    def late(path, gateway, since_ms=0):
        stored = read_database(path, gateway, since_ms)
        if since_ms and stored.rows:
            newest_ms = max(row.at_ms for row in stored.rows)
            _until(lambda: read_database(path, gateway, newest_ms + NEAR_MS + 1).rows)
            last = stored.rows[-1]  # the collector has stored it, and not yet looked for holes
            stored.rows.append(replace(last, at_ms=last.at_ms + NEAR_MS + 1, in_order=False))
        return stored

    with Demo(site, tmp_path / "demo") as demo:
        _until(_grown(demo, 2))
        for who in ("demonstration", "watch"):
            mocker.patch(f"host_tools.demo.{who}.read_database", late)
        assert demo.settle(90)
        result = demo.result()
        _until(_grown_database(demo, 2))
        demo.look()  # as the page's thread does at any time
        assert demo.result() == result
    _assert_whole(result)
    assert result["stored"] > 2


def _grown_database(demo, count):
    """Return a condition: so many more readings are in the database than now."""
    before = read_database(demo.database, demo.gateway).readings
    return lambda: read_database(demo.database, demo.gateway).readings >= before + count


def _until(holds, seconds=60.0):
    deadline_s = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.1)


def _grown(demo, count=5):
    """Return a condition: so many more readings are stored than now."""
    before = demo.figures().stored
    return lambda: demo.figures().stored >= before + count


def _assert_whole(result):
    wrong = (result["lost"], result["duplicated"], result["altered"])
    assert wrong == (0, 0, 0), result["examples"]


def listening(pid):
    """Return the TCP ports on which a process listens, IPv4 and IPv6."""
    own = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the descriptor of this very look
            match = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(link))
            own |= {match[1]} if match else set()
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    ]
    return [int(w[1].rpartition(":")[2], 16) for w in rows if w[3] == "0A" and w[9] in own]


def test_the_gateway_listens_on_no_port(tmp_path, sooner):
    mine = f"{tmp_path}/demo".encode()

    def is_life(cmdline):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            words = cmdline.read_bytes()
            return mine in words and b".link.json" in words
        return False

    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        assert door.getsockname()[1] in listening(os.getpid()), "or the look below sees nothing"
    with Demo(load_site(sooner("household")), tmp_path / "demo") as demo:
        _until(_grown(demo, 1))
        lives = [
            path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if is_life(path)
        ]
        assert lives
        assert [listening(life) for life in lives] == [[]] * len(lives)


def test_a_power_cut_a_network_cut_and_a_garbled_line_cost_what_is_declared(
    tmp_path, sooner, mocker
):
    mocker.patch("host_tools.demo.buttons.NETWORK_OFF_S", 4.0)
    with Demo(load_site(sooner("household")), tmp_path / "demo") as demo:
        _until(_grown(demo))
        demo.cut_power()
        _until(lambda: demo.figures().power == "cut")
        _until(lambda: demo.figures().power == "on")
        _until(_grown(demo))
        demo.cut_network()
        demo.garble_line()
        _until(lambda: demo.figures().network == "cut")
        _until(lambda: demo.figures().network == "up")
        _until(_grown(demo))
        assert demo.settle(90)
        result = demo.result()
    _assert_whole(result)
    assert result["starts"] == 2 and result["declared"] + result["garbled"] > 0
    assert result["chaos"] == {"power": 1, "network": 1, "line": 1}
    assert result["stored"] > 0 and result["runtime"].startswith("micropython")


def test_absent_at_the_start_is_said_plainly_and_the_rest_goes_on(tmp_path, sooner, mocker):
    problem = Problem("nats-server is not installed", "run `make setup`", code=NETWORK)
    start = mocker.patch.object(Broker, "start", autospec=True, side_effect=problem)
    full = Problem("the disk is full", "make room", code=INPUT)
    collect = mocker.patch.object(Collector, "start", autospec=True, side_effect=full)
    site = load_site(sooner("household"))
    for port in site.gateway["ports"]:
        if port["name"] == "container":
            port["uart"] = "uart4"  # the site's file says so, nothing is wired there
    with Demo(site, tmp_path / "demo") as demo:
        said = demo.log_lines
        assert demo.world.board is not None
        demo.world.board._uarts.pop("uart4")
        demo.cut_power()
        _until(lambda: any("uart4 cannot be opened" in line for line in said(500)))
        parts = demo.figures().parts
        assert parts["broker"] == "absent: nats-server is not installed"
        assert parts["collector"] == "absent: the disk is full"
        assert any("run `make setup`" in line for line in said(500))
        _until(
            lambda: any("uplink: the far end closed, trying again" in line for line in said(500))
        )
        mocker.stop(start)
        mocker.stop(collect)
        _until(lambda: demo.figures().parts["broker"] == "up")
        _until(lambda: demo.figures().parts["collector"] == "up")
        _until(_grown(demo))
        parts = demo.figures().parts
        assert parts["collector"] == parts["gateway"] == "up"
        assert demo.settle(90)
        result = demo.result()
    _assert_whole(result)
    assert result["declared"] > 0
