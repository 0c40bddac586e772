"""Safe mode with a network, in virtual time: what it waits for, and that an hour ends it.

How it fetches is in tests/emulated/test_repair.py.
"""

# A gateway's modules beside the test's:
# heap: 2m

import os
import sys

from agent.settings import Settings
from agent.slots import Slots, read_line
from firmware.hal import UP
from tests.skips import skip

TREE = {
    "gateway": "gw",
    "board": "host",
    "ports": [{"name": "line", "uart": "uart1"}],
    "meters": [{"name": "m", "port": "line", "protocol": "modbus", "map": "sdm630"}],
    # Nobody listens there: each attempt is refused at once.
    "uplink": {"host": "127.0.0.1", "port": 1},
}
KEY = {"uplink.key": "01" * 32}


class Reset(SystemExit):
    """The board starts again."""


class Board:
    """What boot.py runs on, and its hal: a folder as flash, a wire as network."""

    runtime = id = ""
    interfaces = ("ethernet",)
    state = UP
    made = 0

    def __init__(self, tree, secrets):
        from tests.fakes.virtual_loop import VirtualLoop

        Board.made += 1
        self.root = "build/repair_%d" % Board.made
        for folder in ("build", self.root):
            try:
                os.mkdir(folder)
            except OSError:
                pass  # it is there
        self._clock = VirtualLoop()
        self.ticks_ms = self._clock.ticks_ms
        self._begun_ms = self._clock.ms
        self.shone = []
        self.said = []
        self.fed = 0
        if tree:
            Settings(self.root).store(tree, secrets, False)
        Slots(self.root, "", []).write(["a", "-", 0, 6, 0, "ImportError: x"])

    @property
    def seconds(self):
        return (self._clock.ms - self._begun_ms) // 1000

    def random(self, n):
        return n // 3

    def wall_ms(self):
        return 0

    def remount(self):
        """Nothing to mount."""

    def open_interface(self, name):
        return self

    def start(self):
        """It is up."""

    def stop(self):
        """It is a wire."""

    def signal(self):
        """A wire has none."""

    def led(self, on):
        self.shone.append(on)

    def reset(self):
        raise Reset(0)

    def start_watchdog(self, ms):
        def feed():
            self.fed += 1

        return feed

    def run(self):
        """Return what start() says, "reset" when the board starts again."""
        from firmware import hal, repair

        kept = hal.make
        hal.make = lambda platform, board: self
        repair.print = self.said.append
        try:
            return repair.start(self, ["slot a is damaged"], lambda root, slot: (-1, "absent"))
        except Reset:
            return "reset"
        finally:
            hal.make = kept
            del repair.print

    def close(self):
        for folder in ("/state", ""):
            try:
                for name in os.listdir(self.root + folder):
                    os.remove(self.root + folder + "/" + name)
                os.rmdir(self.root + folder)
            except OSError:
                pass  # it is not there


def _needs_the_loop():
    if sys.implementation.name != "micropython":
        skip("the loop is MicroPython's asyncio")


def test_it_waits_an_hour_says_what_is_wrong_and_lets_all_be_tried_again():
    _needs_the_loop()
    board = Board(TREE, KEY)
    assert board.run() == "reset" and 3500 < board.seconds < 3900, board.seconds
    assert len([line for line in board.said if "SAFE MODE" in line]) >= 340
    assert "  slot a is damaged" in board.said
    assert [line for line in board.said if "waits for a firmware: offline: [Errno 111]" in line]
    assert board.fed > 50000 and board.shone[:4] in ([1, 0, 1, 0], [0, 1, 0, 1])
    with open(board.root + "/slot", "rb") as file:
        state = read_line(file.read())
    assert state == ["a", "-", 0, 0, 0, "ImportError: x"]
    assert "journal" not in os.listdir(board.root)
    board.close()


def test_without_what_it_needs_it_says_why_and_keeps_off_the_network():
    _needs_the_loop()
    for tree, secrets, why in (
        (None, {}, "there is no configuration"),
        (TREE, {}, "uplink.key"),
        (dict(TREE, uplink={"kind": "https", "host": "h", "tls": True}), KEY, "uplink"),
    ):
        board = Board(tree, secrets)
        said = board.run()
        assert why in said and board.seconds == 0 and board.fed == 0, said
        board.close()
