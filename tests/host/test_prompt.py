"""The way to a board's prompt, and the Ctrl-C that must do no harm on the way: two old races.

Both showed on a loaded computer only, now and then. Here the moments are chosen.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest
from mpremote.transport import TransportError

from host_tools.cable import prompt
from host_tools.problems import Problem
from host_tools.sim import bare_board

BANNER = b"raw REPL; CTRL-B to exit\r\n"


class Deaf:
    """A transport whose board says what is scripted for each time it is listened to."""

    def __init__(self, script):
        self._script = list(script)
        self.serial = self
        self.written = []
        self.in_raw_repl = False

    def write(self, data):
        """Take what the host types."""
        self.written.append(data)

    def reset_input_buffer(self):
        """Nothing is kept here."""

    def read_until(self, count, ending, timeout, timeout_overall=None):
        """Say the next thing; "in step" is the right answer, whatever was asked."""
        said = self._script.pop(0)
        return ending if said == "in step" else said

    @property
    def words(self):
        """How often it was asked whether it is in step."""
        return sum(data.startswith(b"print(") for data in self.written)


def _asked(script):
    way = prompt.Prompt("nowhere")
    way._transport = Deaf(script)
    way._interrupt()
    assert way._transport.in_raw_repl and not way._transport._script, "all was heard"
    return way._transport.words


def test_silence_after_an_old_banner_is_no_banner():
    assert _asked([BANNER, "in step"]) == 1
    # Out of step after the first banner; the second attempt hears nothing, the third all.
    assert _asked([BANNER, b"rubble", b"", BANNER, "in step"]) == 2
    assert _asked([b"", b"boot...", BANNER, "in step"]) == 1


class Child:
    """A process to which nothing but signals is sent."""

    pid = 0

    def __init__(self):
        self.signals = []

    def send_signal(self, number):
        """Note it."""
        self.signals.append(number)


class Starting(Deaf):
    """One that starts again so often, as the command before wanted, when it was in step."""

    def __init__(self, starts):
        super().__init__([BANNER, "in step"] * (starts + 1))
        self._starts = starts

    def exec(self, script):
        """Break off in the middle."""
        if self._starts:
            self._starts -= 1
            raise TransportError("unexpected read during raw paste: b'M'")

    def eval(self, expression):
        """Say where the files are."""
        return "/"

    def exit_raw_repl(self):
        """Nothing is left."""

    def close(self):
        """Nothing is open."""


def test_a_board_that_starts_again_when_it_was_in_step_is_interrupted_once_more(monkeypatch):
    for starts, asked in ((0, 1), (1, 2)):
        transport = Starting(starts)
        monkeypatch.setattr(prompt.raw_port, "Transport", lambda port, t=transport: t)
        with prompt.Prompt("nowhere") as way:
            assert way.root == "" and transport.words == asked
    monkeypatch.setattr(prompt.raw_port, "Transport", lambda port: Starting(2))
    with pytest.raises(Problem, match="raw paste"):
        prompt.Prompt("nowhere").open()


@pytest.fixture
def board(tmp_path):
    made = bare_board.BareBoard(tmp_path)
    made._child = Child()  # type: ignore[assignment]
    return made


STOP, INT, CONT = signal.SIGSTOP, signal.SIGINT, signal.SIGCONT


def test_a_ctrl_c_waits_until_the_interpreter_stands_in_a_system_call(board, monkeypatch):
    moments = iter((False, False, True))
    monkeypatch.setattr(bare_board, "_catches", lambda pid: True)
    monkeypatch.setattr(bare_board, "_is_in_call", lambda pid: next(moments))
    board._interrupt()
    assert board._child.signals == [STOP, CONT, STOP, CONT, STOP, INT, CONT]


def test_a_ctrl_c_that_finds_no_such_moment_goes_in_all_the_same(board, monkeypatch):
    now_s = iter(range(100, 200))
    monkeypatch.setattr(bare_board, "_catches", lambda pid: True)
    monkeypatch.setattr(bare_board, "_is_in_call", lambda pid: False)
    monkeypatch.setattr(bare_board.time, "monotonic", lambda: next(now_s))
    board._interrupt()
    assert board._child.signals[-3:] == [STOP, INT, CONT]


def test_where_it_stands_is_told_of_a_stopped_process():
    scripts = {True: "import sys; sys.stdin.read()", False: "print(flush=True)\nwhile True: pass"}
    for is_in_call, script in scripts.items():
        with subprocess.Popen(
            [sys.executable, "-S", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child:
            try:
                if not is_in_call:
                    assert child.stdout and child.stdout.readline()
                assert _seen(child.pid, is_in_call)
            finally:
                child.kill()


def _seen(pid, wanted):
    """Whether a process is found as wanted within some seconds; it is let go between two looks."""
    until_s = time.monotonic() + 20
    while time.monotonic() < until_s:
        os.kill(pid, STOP)
        with contextlib.suppress(ProcessLookupError):
            bare_board._catches(pid)  # waits until it has stopped
            if bare_board._is_in_call(pid) == wanted:
                return True
            os.kill(pid, CONT)
    return False
