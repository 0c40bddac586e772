"""firmware/net.py on the real MicroPython against real sockets: time servers, dead ports."""

import os
import socket
import subprocess
import threading
import time
from pathlib import Path

from tests.on_micropython import interpreter

ROOT = Path(__file__).resolve().parent.parent.parent

_TIME = """
import asyncio, sys, time, os
from agent.clock import Clock
from agent.timekeeper import Timekeeper
from firmware import net
class App:
    def __init__(self, servers):
        self.clock = Clock(1)
        self.timekeeper = Timekeeper(servers, lambda n: 0)
        self.log = self
    def info(self, who, text, *values):
        print(text % values)
        sys.exit(0)
    def set_wall(self, wall_ms, now_ms, source):
        print("set", wall_ms, source)
class Hal:
    def set_wall(self, wall_ms):
        print("hal", wall_ms)
        sys.exit(0)
    def ticks_ms(self):
        return time.ticks_ms() & (1 << 30) - 1
asyncio.run(net.keep_time(App(sys.argv[1:]), Hal(), net.make_names()))
"""
_CONNECT = """
import asyncio, sys
from firmware import net
async def main():
    try:
        sock = await net.connect(net.make_names(), "127.0.0.1", int(sys.argv[1]), lambda: True)
        print("connected")
    except OSError as error:
        print("refused", error.errno)
asyncio.run(main())
"""


def _run(tmp_path, text, *arguments):
    script = tmp_path / "script.py"
    script.write_text(text)
    done = subprocess.run(
        [interpreter(), str(script), *arguments],
        cwd=ROOT,
        env={**os.environ, "MICROPYPATH": f"{ROOT}:.frozen"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.stdout + done.stderr


class _TimeServer(threading.Thread):
    """Answers each request with this computer's time, moved by `off_s`."""

    def __init__(self, off_s=0):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.name = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self._off_s = off_s
        self.start()

    def run(self):
        while True:
            data, who = self.socket.recvfrom(100)
            seconds = int(time.time()) + self._off_s + 2208988800 & 0xFFFFFFFF
            head = b"\x24\x02" + bytes(22) + data[40:48] + bytes(8)
            self.socket.sendto(head + seconds.to_bytes(4, "big") + bytes(4), who)


def test_two_agreeing_servers_set_the_clock_and_a_liar_does_not(tmp_path):
    first, second, liar = _TimeServer(), _TimeServer(), _TimeServer(86400)
    said = _run(tmp_path, _TIME, liar.name, first.name, second.name).split()
    assert said[0] == "set" and said[2] == "sntp", said
    assert said[3:] == ["hal", said[1]], "TLS checks dates by the port's own clock"
    assert abs(int(said[1]) / 1000 - time.time()) < 30
    assert "no two agree" in _run(tmp_path, _TIME, liar.name, first.name)


def test_a_connection_is_made_or_refused_without_waiting_in_c(tmp_path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
        refused = _run(tmp_path, _CONNECT, port)
        listener.listen()
        assert _run(tmp_path, _CONNECT, port).strip() == "connected"
    assert refused.strip() == "refused 111"
