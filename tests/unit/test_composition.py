"""firmware/build.py: board + configuration + hal -> a gateway, or why there is none."""

# Whole gateways:
# heap: 2m

import os
import sys

from agent.clock import UPTIME_ONLY
from agent.mac import Mac
from agent.platform import Platform
from agent.poster import Poster
from agent.ring import Ring
from agent.settings import Settings
from agent.store import Files
from firmware import build as build_
from firmware import hal as hal_
from tests.fakes.nor_flash import NorFlash

KEY = "00112233445566778899aabbccddeeff" * 2
STATE = ["a", "-", 0, 0, 0, ""]
WALL = 1_900_000_000_000


def _tree(**changes):
    tree = {
        "gateway": "gw",
        "site": "school",
        "board": "host",
        "uplink": {"host": "192.0.2.1", "key": KEY, "tls": False},
        "ports": [{"name": "line", "uart": "uart1"}],
        "meters": [{"name": "m", "port": "line", "protocol": "modbus", "map": "sdm630"}],
    }
    tree.update(changes)
    return tree


class _Hal:
    """A port whose clock stands still."""

    runtime = "test"
    drift_ppm = 40
    longest_sleep_ms = 60_000
    start_ms = 250
    flash = None

    def __init__(self, root, cause="power", wall_ms=0):
        self.root = root
        self.cause = cause
        self._wall_ms = wall_ms
        self._draws = 0

    def ticks_ms(self):
        return 1000

    def wall_ms(self):
        return self._wall_ms

    def random(self, n):
        self._draws += 1
        return self._draws % n

    def heap(self):
        return 1, 2

    def remount(self):
        pass

    def open_journal(self):
        if self.flash is None:
            raise OSError(19)
        return self.flash


class _Board:
    """A folder as its flash, and the hal that its port would make."""

    made = 0

    def __init__(self, tree=None, **hal):
        _Board.made += 1
        self.root = "build/composition_%d_%d" % (id(self), _Board.made)
        for folder in ("build", self.root, self.root + "/a"):
            try:
                os.mkdir(folder)
            except OSError:
                pass  # it is there
        self.hal = _Hal(self.root, **hal)
        self.resets = 0
        self.slept_s = 0
        self.shone = []
        self.said = []
        if tree is not None:
            self.settings().store(tree, {}, False)

    def settings(self):
        settings = Settings(self.root)
        settings.look()
        return settings

    def reset(self):
        self.resets += 1

    def sleep_s(self):
        self.slept_s += 1

    def shine(self, level):
        self.shone.append(level)

    def build(self, slot="a", state=None):
        kept = hal_.make
        ours = [(n, m) for n, m in sys.modules.items() if n.startswith("agent.")]
        hal_.make = lambda platform, board: self.hal
        build_.print = self.said.append  # where its log goes
        try:
            return build_.build(self, slot, state or list(STATE))
        finally:
            hal_.make = kept
            del build_.print
            for name, module in ours:  # what was dropped is the one that other tests know
                sys.modules[name] = module
                setattr(sys.modules["agent"], name[len("agent.") :], module)

    def app(self, **more):
        """Return the App, None for none; the folder is gone afterwards."""
        try:
            found = self.build(**more)
            return found and found[0]
        finally:
            _remove(self.root)


def _remove(path):
    try:
        names = os.listdir(path)
    except OSError:
        os.remove(path)
        return
    for name in names:
        _remove(path + "/" + name)
    os.rmdir(path)


def test_a_gateway_is_built_from_its_configuration_its_board_and_its_port():
    app = _Board(_tree()).app()
    told = {name: app.identity[name] for name in ("gateway", "site", "board", "slot", "runtime")}
    assert told == {
        "gateway": "gw",
        "site": "school",
        "board": "host",
        "slot": "a",
        "runtime": "test",
    }
    assert app.identity["version"] == build_.VERSION and app.identity["boot"] == app.clock.boot
    assert app.cause == "power" and [m.shown for m in app.meters] == ["m"]
    assert isinstance(app.journal.ground, Files) and app.uplink.on_offer == app.orders.offered
    assert app.clock.state == UPTIME_ONLY  # the port has no clock
    for absent in (app.timekeeper, app.supply, app.sleep, app.upgrade):
        assert absent is None
    assert app.words is not None


def test_what_changes_firmware_and_configuration_is_made_when_it_is_wanted():
    board = _Board(_tree())
    app, hal = board.build()
    assert hal is board.hal
    upgrade = app.make_upgrade()
    assert upgrade is not None and not upgrade.tries_settings
    _remove(board.root)


def test_a_clock_that_went_on_is_believed_unless_it_was_only_assumed():
    assert _Board(_tree(), wall_ms=WALL).app().clock.wall_ms_at(1000)[0] == WALL
    assert _Board(_tree(), wall_ms=5).app().clock.state == UPTIME_ONLY
    board = _Board(_tree(), wall_ms=WALL)
    app, _ = board.build()
    app.floor._keep(True)
    assert board.app().clock.state == UPTIME_ONLY


def test_what_only_some_gateways_need_is_there_where_it_is_configured():
    low = {"low_mv": 3300, "sleep": True}
    tree = _tree(clock={"ntp": ["192.0.2.9"]}, power=low)
    board = _Board(tree)
    board.hal.supply_mv = lambda: 3700
    app = board.app()
    assert app.timekeeper is not None and app.supply is not None and app.sleep is not None
    assert _Board(tree).app().supply is None  # a port that cannot measure it


def test_brownouts_are_counted_over_starts():
    board = _Board(_tree(), cause="brownout")
    assert board.build()[0].brownouts == 1
    assert board.app().brownouts == 2


def test_the_journal_lies_where_the_board_says_or_in_files_where_the_image_has_no_region():
    board = _Board(_tree(board="host_ring", journal={"size_kb": 4096}))
    board.hal.flash = NorFlash(bytearray(b"\xff" * (64 * 4096)), program_size=32)
    app = board.app()
    ring = app.journal.ground
    assert isinstance(ring, Ring) and app.journal.segments_max == ring.room
    app = _Board(_tree(board="host_ring")).app()
    assert isinstance(app.journal.ground, Files)
    assert any("no journal region" in line for line in app.log.lines())


def test_the_led_of_a_board_is_left_for_safe_mode():
    board = _Board(_tree(board="rpi_pico_w"))
    board.build()
    with open(board.root + "/led") as file:
        assert file.read() == "LED"
    _remove(board.root)


def test_without_a_configuration_it_says_so_for_an_hour_and_starts_anew():
    board = _Board()
    assert board.app() is None
    assert (board.slept_s, board.resets) == (3600, 1)
    assert board.shone[:4] == [1, 0, 1, 0] and len(board.said) == 360
    assert "not provisioned" in board.said[0] and "eclor deploy" in board.said[-1]
    board = _Board()
    board.shine = None  # a boot.py of old
    assert board.app(slot="") is None and board.resets == 1


def test_a_firmware_on_trial_that_finds_none_is_counted_by_boot():
    board = _Board()
    assert board.app(slot="b", state=["a", "b", 1, 0, 0, ""]) is None
    assert (board.slept_s, board.resets, board.shone) == (0, 0, [])


def test_a_configuration_that_is_invalid_is_said_and_not_run():
    board = _Board(_tree(colour="red"))
    assert board.app() is None and board.resets == 1
    board = _Board(_tree())
    board.settings().store(_tree(gateway="other", colour="red"), {}, True)
    app = board.app()  # it was on trial: the one before runs, and says what was wrong
    assert app.identity["gateway"] == "gw" and app.upgrade is not None
    assert any("colour" in line for line in app.log.lines())


def test_a_configuration_that_no_gateway_can_be_made_of_goes_back():
    points = {"points": ["no such point"]}
    bad = _tree()
    bad["meters"] = [dict(bad["meters"][0], **points)]
    board = _Board(bad)
    assert board.app() is None and board.resets == 0  # boot.py counts it
    board = _Board(_tree())
    board.settings().store(bad, {}, True)
    assert board.build() is None and board.resets == 1
    app = board.app()
    assert app is not None and board.resets == 1


def test_an_uplink_of_every_kind_is_made():
    web = {"host": "127.0.0.1", "kind": "https", "key": KEY}
    assert isinstance(_Board(_tree(uplink=web)).app().uplink, Poster)
    senml = {"host": "192.0.2.1", "format": "senml", "topic": "a/b", "key": KEY}
    app = _Board(_tree(uplink=senml)).app()
    assert isinstance(app.uplink, Platform) and app.uplink.clock is app.clock
    assert app.uplink.schema["meters"][0]["name"] == "m"
    dear = {"host": "192.0.2.1", "key": KEY, "budget_kb_day": 500}
    app = _Board(_tree(uplink=dear), wall_ms=WALL).app()
    assert app.uplink.budget is not None
    app.step(1000)  # it is told the day that it counts


def test_keys_and_certificates_that_were_replaced_are_looked_up():
    tls = {"host": "192.0.2.1", "key": KEY, "tls": True, "ca": "authority.der"}
    board = _Board(_tree(uplink=tls))
    app = board.build()[0]
    assert app.certificates is None and isinstance(app.keys, Mac)
    for slot in ("certificates", "key"):
        app._ground.begin(slot)
        app._ground.put(b"[]", 0, 2)
        app._ground.commit()
    app = board.app()
    assert app.certificates is not None and not isinstance(app.keys, Mac)
    app.step(1000)


def test_a_clock_that_is_set_anew_says_by_how_much():
    board = _Board(_tree(), wall_ms=WALL)
    app = board.app()
    app.set_wall(WALL + 90_000, 1000, "broker")
    assert any("clock stepped by 90000 ms (broker)" in line for line in app.log.lines())


def test_a_firmware_that_is_frozen_in_was_built_on_the_day_of_its_runtime():
    day_ms = 1_795_824_000_000  # 2026-11-28
    for version, wanted in (
        ("3.4.0; MicroPython v1.28.0 on 2026-11-28", day_ms),
        ("3.4.0; MicroPython v1.29.0-preview.7.gabc on 2026-11-28", day_ms),
        ("3.11.2 (main, Apr 28 2025, 14:11:48) [GCC 12.2.0]", 0),
        ("3.4.0; MicroPython v1.28.0 on today", 0),
        ("", 0),
    ):
        assert build_.image_day_ms(version) == wanted, version
    kept = build_.image_day_ms
    build_.image_day_ms = lambda version: day_ms
    try:
        app, _ = _Board(_tree()).build()
    finally:
        build_.image_day_ms = kept
    assert app.clock.tls_ms() == day_ms, "no certificate that was made since is too young"
