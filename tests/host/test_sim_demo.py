"""The demonstration starts what it can, says what is absent, and leaves nothing behind."""

import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("agent.codec", reason="the block codec is not in this tree")

from host_tools.commands import demo as command
from host_tools.demo import demonstration as demo
from host_tools.packing import image
from host_tools.problems import INPUT, MISSING, Problem
from host_tools.sim import board
from host_tools.sim.plan import SiteFile, load_site

ROOT = Path(__file__).resolve().parent.parent.parent
_SITE = SiteFile(
    "testsite",
    {"day": "household"},
    {
        "gateway": "gw-test",
        "ports": [{"name": "rs485-1", "uart": "uart1", "baud": 9600}],
        "meters": [
            {
                "name": "a",
                "port": "rs485-1",
                "protocol": "modbus",
                "map": "sdm630",
                "interval_s": 5,
                "points": ["power"],
            }
        ],
    },
)


@pytest.fixture
def mute_gateway(mocker, tmp_path):
    """Let the board run a firmware that only waits."""
    start = tmp_path / "start.py"
    start.write_text("import time\nprint('mute')\ntime.sleep(600)\n")
    boot = tmp_path / "boot.py"
    boot.touch()
    mute = functools.partial(board.EmulatedBoard, start=start)
    mocker.patch("host_tools.demo.world.EmulatedBoard", mute)
    mocker.patch("host_tools.demo.world.image.build", functools.partial(image.build, boot=boot))


def _wait(condition, seconds=15.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_every_part_starts_and_a_mute_gateway_is_named(mute_gateway, tmp_path):
    with demo.Demo(_SITE, tmp_path / "run") as running:
        _wait(lambda: running.figures().parts)
        _wait(lambda: "mute" in running.log_lines(50))
        parts = running.figures().parts
        assert (parts["broker"], parts["collector"], parts["lines"]) == ("up", "up", "up")
        assert "not heard of" in parts["gateway"]
        assert running.meters[0].points[0].unit == "W"
        assert running.curve("a", "power", 60) == []
    assert running.figures().lost == 0


def test_the_power_button_kills_and_returns_the_gateway(mute_gateway, mocker, tmp_path):
    mocker.patch("host_tools.demo.buttons.POWER_OFF_S", 0.05)
    with demo.Demo(_SITE, tmp_path / "run") as running:
        _wait(lambda: running.log_lines(50).count("mute") == 1)
        running.cut_power()
        _wait(lambda: running.log_lines(50).count("mute") == 2)
        assert running.buttons.counts == {"power": 1}


def test_an_absent_broker_is_said_and_the_rest_goes_on(mute_gateway, mocker, tmp_path):
    problem = Problem("nats-server is not installed", "run `make setup`", code=MISSING)
    mocker.patch("host_tools.demo.world.Broker.start", side_effect=problem)
    with demo.Demo(_SITE, tmp_path / "run") as running:
        _wait(lambda: "mute" in running.log_lines(50))
        _wait(lambda: running.figures().parts)
        assert running.figures().parts["broker"] == "absent: nats-server is not installed"
        assert not running.settle(30)


def test_an_absent_collector_is_said_and_the_rest_goes_on(mute_gateway, mocker, tmp_path):
    problem = Problem("the database cannot be opened", "free some space")
    mocker.patch("host_tools.demo.world.Collector", side_effect=problem)
    with demo.Demo(_SITE, tmp_path / "run") as running:
        _wait(lambda: "mute" in running.log_lines(50))
        assert any("collector absent" in line for line in running.log_lines(50))


def test_a_firmware_that_cannot_be_built_is_said_and_the_rest_goes_on(mocker, tmp_path):
    problem = Problem("boot.py is not there", "give it")
    mocker.patch("host_tools.demo.world.image.build", side_effect=problem)
    with demo.Demo(_SITE, tmp_path / "run") as running:
        _wait(lambda: running.figures().parts)
        assert running.figures().parts["gateway"] == "absent: boot.py is not there"
        assert running.figures().parts["collector"] == "up"


@pytest.mark.parametrize("text", ["site: x\n", "- 1\n", "gateways: [\n", ""])
def test_a_file_that_is_no_site_is_a_problem(text, tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text(text)
    with pytest.raises(Problem) as caught:
        load_site(path)
    assert caught.value.code == INPUT


def _children(pid):
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_command_leaves_no_process_behind(number, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "host_tools", "demo", "--headless", "--seconds", "60"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(lambda: len(_children(process.pid)) >= 2, 20)  # the guard and the broker at least
        children = _children(process.pid)
        process.send_signal(number)
        process.wait(20)
        _wait(lambda: not any(_alive(child) for child in children))
    finally:
        process.kill()
        process.wait()


def test_a_site_that_the_gateway_would_refuse_is_refused_at_once(tmp_path):
    from host_tools.commands.demo import command

    text = (ROOT / "host_tools" / "sim" / "sites" / "household.yaml").read_text()
    path = tmp_path / "site.yaml"
    path.write_text(text.replace("max_loss_s: 5", "max_loss_s: 2"))
    with pytest.raises(Problem, match="max_loss_s") as refused:
        command(headless=True, seconds=0, site=path)
    assert refused.value.code == INPUT and "eclor check" in refused.value.remedy


def test_the_address_of_the_page_is_said_before_it_is_served(mocker, capsys):
    mocker.patch.object(demo, "Demo")
    said = []
    mocker.patch(
        "host_tools.page.live.serve", lambda view, port: said.append(capsys.readouterr().out)
    )
    command.command(port=18093)
    assert "http://127.0.0.1:180" in said[0] and "Ctrl-C" in said[0]
