"""A battery gateway on the emulated board: it sleeps, wakes, sends, and is updated meanwhile."""

import json
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from host_tools.packing import image
from host_tools.processes.supervisor import Supervisor
from tests.fakes.gateway_and_collector import GATEWAY, World

METERS: dict[str, Any] = {
    "ports": [{"name": "line", "uart": "uart1"}],  # which is not there: each wake declares that
    "meters": [
        {
            "name": "m",
            "port": "line",
            "protocol": "modbus",
            "map": "sdm630",
            "points": ["energy_import", "power"],
            "interval_s": 300,
        }
    ],
    "power": {"sleep": True, "uplink_every": 2, "awake_s": 60},
    "update": {"settle_s": 1, "trial_s": 600},
}


@pytest.fixture(scope="module")
def files():
    with tempfile.TemporaryDirectory() as folder:
        return image.compile_all(Path(folder))


@pytest.fixture
def world(tmp_path, files):
    key = rsa.generate_private_key(65537, 3072)
    with Supervisor() as supervisor:
        made = World(supervisor, tmp_path, files, key, skips_sleep=True, **METERS)
        yield made
        made.close()


def test_sleeps_are_no_starts_and_an_update_is_tried_and_confirmed_across_them(world):
    with world.serve(world.bundle()) as server:
        heard = server.heard[GATEWAY]
        world.board.power_on()
        world.until(lambda: len(world.board.slept_ms) >= 2)
        server.offer(GATEWAY, 1)  # it sleeps: the broker keeps the offer
        world.until(lambda: world.slot()[:2] == ["a", "b"])
        world.until(lambda: world.slot()[:2] == ["b", "-"])
        slept = len(world.board.slept_ms)
        world.until(lambda: len(world.board.slept_ms) >= slept + 2)
        assert heard.birth["version"] == "2.0"
    world.board.power_cut()
    assert not world.board.bites and not world.board.failed
    # But for those that follow an ordinary start, they last from one due time to the next.
    slept_ms = sorted(world.board.slept_ms)
    assert slept_ms[-1] <= 300_000 and slept_ms[2] > 280_000, slept_ms
    with world.collector.engine.connect() as connection:
        boots = [row[0] for row in connection.exec_driver_sql("SELECT cause FROM boot")]
        assert boots == ["power", "soft"], (boots, "\n".join(world.lines))
        assert not connection.exec_driver_sql("SELECT * FROM hole").fetchall()
        times = connection.exec_driver_sql(
            "SELECT DISTINCT at_ms FROM reading ORDER BY at_ms"
        ).fetchall()
    steps = [b[0] - a[0] for a, b in pairwise(times)]
    assert len(steps) >= 3 and all(290_000 < step < 310_000 for step in steps), steps
    assert json.loads(image.read(world.image, "/config-a.json"))["power"]["sleep"]


def _try(world, server, changed, first):
    """Have a configuration tried, awake until it is; return the count of sleeps so far."""
    awake = world.command(server, first, "maintenance", {"minutes": 5}, retain=True)
    assert awake["ok"], awake
    assert world.configure(server, changed, first + 1)["ok"]
    world.until(lambda: world.settings()[1:2] not in ([], ["-"]))
    return len(world.board.slept_ms)


def test_a_configuration_is_tried_across_sleeps_which_neither_confirm_it_nor_use_up_its_tries(
    world,
):
    with world.serve() as server:
        heard = server.heard[GATEWAY]
        world.board.power_on()
        world.until(lambda: heard.births == 1)
        # Its twenty seconds awake are more than two wakes have, also on a busy computer.
        slept = _try(world, server, {"site": "school", "update": {"settle_s": 20}}, 1)
        tries = set()

        def is_confirmed():
            active, trial, left = world.settings()[:3]
            tries.add(left if trial == "b" else "")
            return [active, trial] == ["b", "-"]

        world.until(is_confirmed)
        assert heard.birth["site"] == "school"
        assert len(world.board.slept_ms) >= slept + 2, "it was not tried across sleeps"
        assert "0" not in tries and "2" in tries, tries

        # One that reaches no collector: its first life is awake for 20 s, the next ones end it.
        nowhere = world.configuration["uplink"] | {"port": 9}
        brief: dict[str, Any] = {
            "power": METERS["power"] | {"awake_s": 20},
            "update": {"settle_s": 1, "trial_s": 24},
        }
        slept = _try(world, server, {"site": "moon", "uplink": nowhere} | brief, 10)
        world.until(lambda: world.settings()[:2] == ["b", "-"], 120)
        assert len(world.board.slept_ms) > slept
        births = heard.births
        world.until(lambda: heard.births > births and heard.birth["site"] == "school")
        world.until(lambda: _rollbacks(world))
        assert len(_rollbacks(world)) == 1
        assert "nothing was acknowledged after 2" in _rollbacks(world)[0], _rollbacks(world)
    assert not world.board.bites and not world.board.failed


def _rollbacks(world):
    return [row for row in world.events() if "rolled back from" in row]
