"""firmware/net.py on the real MicroPython against real sockets: time servers, dead ports."""

import os
import socket
import subprocess
import threading
import time
from pathlib import Path

from tests.fakes.name_server import NameServer
from tests.on_micropython import interpreter

ROOT = Path(__file__).resolve().parent.parent.parent

_TIME = """
import asyncio, sys, time, os
from agent.clock import Clock
from agent.names import Names
from agent.timekeeper import Timekeeper
from firmware import timekeeping
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
names = Names(lambda n: 7, [sys.argv[1]])
asyncio.run(timekeeping.keep_time(App(sys.argv[2:]), Hal(), names))
"""
# A bus task beside the connection: how long does it ever have to wait for its turn?
_CONNECT = """
import asyncio, sys, time
from agent.names import Names
from firmware import net
class Hal:
    def ticks_ms(self):
        return time.ticks_ms() & (1 << 30) - 1
async def bus():
    global longest
    last = time.ticks_ms()
    while True:
        await asyncio.sleep_ms(1)
        now = time.ticks_ms()
        longest = max(longest, time.ticks_diff(now, last))
        last = now
async def main():
    asyncio.create_task(bus())
    await asyncio.sleep_ms(5)
    names = Names(lambda n: 7, sys.argv[4:])
    for _ in range(int(sys.argv[3])):
        try:
            await net.connect(names, Hal(), sys.argv[1], int(sys.argv[2]), lambda: True)
            print("connected")
        except OSError as error:
            print("refused", error)
    await asyncio.sleep_ms(5)
longest = 0
asyncio.run(main())
print("longest", longest)
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
    said = _run(tmp_path, _TIME, "-", liar.name, first.name, second.name).split()
    assert said[0] == "set" and said[2] == "sntp", said
    assert said[3:] == ["hal", said[1]], "TLS checks dates by the port's own clock"
    assert abs(int(said[1]) / 1000 - time.time()) < 30
    assert "no two agree" in _run(tmp_path, _TIME, "-", liar.name, first.name)


def test_a_time_server_is_found_by_its_name(tmp_path):
    server = _TimeServer()
    port = server.name.split(":")[1]
    with NameServer({"time.example": "127.0.0.1"}) as names:
        said = _run(tmp_path, _TIME, names.text, "time.example:" + port).split()
    assert said[0] == "set" and names.queries == 1, said


def test_a_connection_is_made_or_refused_without_waiting_in_c(tmp_path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
        refused = _run(tmp_path, _CONNECT, "127.0.0.1", port, "2")
        listener.listen()
        assert _run(tmp_path, _CONNECT, "127.0.0.1", port, "2").split()[:2] == ["connected"] * 2
    assert refused.count("ECONNREFUSED") == 2, refused


def test_a_name_is_looked_up_once_and_kept(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        with NameServer({"broker.example": "127.0.0.1"}) as names:
            said = _run(tmp_path, _CONNECT, "broker.example", port, "2", names.text)
            assert said.split()[:2] == ["connected"] * 2 and names.queries == 1, said
            said = _run(tmp_path, _CONNECT, "absent.example", port, "1", names.text)
            assert "no address of absent.example: no such name" in said


def test_a_silent_name_server_holds_up_no_bus(tmp_path):
    """The attempt waits 6 s for it; a bus waits for its turn as ever."""
    with NameServer({}) as names:
        names.mute = True
        begun = time.monotonic()
        said = _run(tmp_path, _CONNECT, "broker.example", "1", "1", names.text)
        took_s = time.monotonic() - begun
    assert said.count("no address of broker.example") == 1 and names.queries == 2, said
    assert took_s > 5
    assert int(said.split()[-1]) < 500, said  # this computer is shared: a board's is 10 ms
