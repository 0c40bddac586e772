"""The emulated board runs MicroPython, loses its power at once, and resets as a board does."""

import threading
import time

import pytest

from host_tools.processes.supervisor import Supervisor
from host_tools.sim.board import EmulatedBoard

_FIRMWARE = """
import json, sys, time
link = json.load(open(sys.argv[1]))
print("start", sys.implementation.name, link["reset_cause"], link["uarts"]["uart1"])
{then}
"""

_FEED = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(socket.getaddrinfo("127.0.0.1", link["watchdog"])[0][-1])
s.send(b"1")
time.sleep(600)
"""


class _Log:
    """Collects lines; waits for one."""

    def __init__(self):
        self.lines = []
        self._came = threading.Condition()

    def __call__(self, line):
        with self._came:
            self.lines.append(line)
            self._came.notify_all()

    def wait(self, text, count=1):
        with self._came:
            assert self._came.wait_for(
                lambda: sum(text in line for line in self.lines) >= count, 15
            ), self.lines


@pytest.fixture
def power(tmp_path):
    with Supervisor() as supervisor:

        def make(then):
            start = tmp_path / "start.py"
            start.write_text(_FIRMWARE.format(then=then))
            log = _Log()
            uarts = {"uart1": "/dev/pts/0"}
            image = tmp_path / "gw.img"
            return EmulatedBoard(supervisor, image, uarts, start=start, on_line=log), log

        yield make


def test_it_runs_on_micropython_and_stays_off_after_a_power_cut(power):
    board, log = power("time.sleep(600)")
    board.power_on()
    log.wait("start micropython power /dev/pts/0")
    board.power_cut()
    assert not board.running
    board.power_on()
    log.wait("start micropython power", 2)
    assert board.starts == 2
    board.power_cut()


def test_a_soft_reset_starts_it_again_and_says_so(power):
    board, log = power("if link['reset_cause'] == 'power': sys.exit(0)\ntime.sleep(600)")
    board.power_on()
    log.wait("start micropython soft")
    board.power_cut()


def test_a_crash_reads_as_the_watchdog(power):
    board, log = power("if link['reset_cause'] == 'power': sys.exit(3)\ntime.sleep(600)")
    board.power_on()
    log.wait("start micropython watchdog")
    board.power_cut()


def test_a_firmware_that_cannot_start_is_left_off_with_a_reason(power):
    board, log = power("sys.exit(1)")
    board.power_on()
    log.wait("stays off")
    deadline = time.monotonic() + 5
    while board.running and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not board.running
    assert "12 times" in board.failed


def test_a_firmware_that_feeds_its_watchdog_no_more_is_reset(tmp_path):
    start = tmp_path / "start.py"
    start.write_text(_FIRMWARE.format(then=_FEED))
    log = _Log()
    with Supervisor() as supervisor:
        board = EmulatedBoard(
            supervisor,
            tmp_path / "gw.img",
            {"uart1": "/dev/pts/0"},
            start=start,
            watchdog_s=0.5,
            on_line=log,
        )
        board.power_on()
        log.wait("start micropython watchdog")
        assert board.bites >= 1
        board.power_cut()
