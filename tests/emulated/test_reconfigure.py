"""A new configuration by command: it proves itself upstream, or the last good one returns."""

import json
import random
import time

import pytest

from agent.settings import split
from host_tools.packing import image
from host_tools.packing.image import compile_all
from host_tools.processes.supervisor import Supervisor
from tests.fakes.gateway_and_collector import GATEWAY, World


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return compile_all(tmp_path_factory.mktemp("slot"))


@pytest.fixture
def world(tmp_path, files):
    with Supervisor() as supervisor:
        made = World(supervisor, tmp_path, files)
        yield made
        made.close()


BRIEF = {"update": {"settle_s": 1, "trial_s": 10}}


def test_a_good_one_stays_a_wrong_one_is_answered_and_one_that_cuts_off_returns(world):
    with world.serve() as server:
        heard = server.heard[GATEWAY]
        world.board.power_on()
        world.until(lambda: heard.births == 1)
        answer = world.configure(server, {"site": "school"})
        assert answer["ok"], answer
        world.until(lambda: heard.birth.get("site") == "school")
        world.until(lambda: world.settings()[:2] == ["b", "-"])
        assert world.board.starts == 2

        answer = world.configure(server, {"log": {"level": "loud"}, "site": 7}, 11)
        assert answer["why"].splitlines() == [
            "site: 7 is not a text",
            "log.level: 'loud' is not one of debug, info, warn, error",
        ]
        assert world.settings()[:2] == ["b", "-"]

        nowhere = world.configuration["uplink"] | {"port": 9}
        assert world.configure(server, {"site": "moon", "uplink": nowhere} | BRIEF, 21)["ok"]
        world.until(lambda: world.settings()[:2] == ["b", "a"])
        world.until(lambda: world.settings()[:2] == ["b", "-"])
        births = heard.births
        world.until(lambda: heard.births > births and heard.birth["site"] == "school")
        world.until(lambda: world.settings()[5] == "")  # said upstream
        assert "/config-a.json" not in image.listing(world.image)
        world.until(lambda: any("rolled back from a" in row for row in world.events()))
        assert world.board.starts == 4
        assert any("last_words" in row and "restart" in row for row in world.events())


def test_power_cuts_at_any_moment_leave_one_of_the_two_whole(world):
    chance = random.Random(7)
    sites = set()
    with world.serve() as server:
        heard = server.heard[GATEWAY]
        world.board.power_on()
        world.until(lambda: heard.births == 1)
        for turn in range(4):
            text = json.dumps(split(world.configuration | {"site": f"s{turn}"})[0])
            server.command(GATEWAY, 2 * turn + 1, "configure", {"at": 0, "text": text})
            server.command(GATEWAY, 2 * turn + 2, "configure", {"try": True})
            time.sleep(chance.uniform(0.05, 4.5))
            world.board.power_cut()
            world.board.power_on()
            births = heard.births
            world.until(lambda births=births: heard.births > births)
            sites.add(heard.birth["site"])
    assert len(sites) > 1 and sites <= {""} | {f"s{turn}" for turn in range(4)}
    assert not any("not provisioned" in line for line in world.lines)


def test_maintenance_by_command_is_one_start_that_runs_nothing(world):
    with world.serve() as server:
        heard = server.heard[GATEWAY]
        world.board.power_on()
        world.until(lambda: heard.births == 1)
        assert not world.command(server, 1, "maintenance", {"minutes": 61, "stop": True})["ok"]
        assert world.command(server, 2, "maintenance", {"minutes": 5, "stop": True})["ok"]
        world.until(lambda: any("starts by itself in 5 min" in line for line in world.lines))
        world.until(lambda: heard.births == 2)  # the emulated board starts whatever ends
