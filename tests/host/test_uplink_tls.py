"""The device's TLS on MicroPython: real brokers with mutual certificates, and peers that cheat.

Whoever fails the handshake gets 0 bytes of payload: counted by a server that would take them.
"""

import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest

from agent.clock import FLOOR_MS
from host_tools.processes.broker import Broker, Papers
from host_tools.processes.supervisor import Supervisor
from tests.fakes.authority import Authority
from tests.fakes.broker_process import BrokerProcess, is_there
from tests.fakes.tcp_fault_proxy import TCPFaultProxy
from tests.on_micropython import interpreter

ROOT = Path(__file__).resolve().parent.parent.parent

_GATEWAY = """
import asyncio, json, sys, time
from binascii import b2a_base64
from agent.certificates import Certificates
from agent.clock import Clock
from agent.floor import Floor
from agent.store import Files
from agent.poster import Poster
from agent.uplink import Uplink
from agent.names import Names
from firmware import carrier
from tests.fakes.journal import MemoryJournal
with open(sys.argv[1]) as file:  # an argument beyond 255 bytes ends the interpreter
    settings = json.load(file)
class Hal:
    def ticks_ms(self):
        return time.ticks_ms() & (1 << 30) - 1
    def set_wall(self, ms):
        print("TLS assumes", ms)
        if settings["clock"]:  # the file that this process takes for its clock
            with open(settings["clock"], "w") as file:
                file.write(str(ms // 1000))
class Counts:
    may_send_live = may_send_records = True
    is_spent = False
    bytes = openings = 0
    def spend(self, count):
        self.bytes += count
    def spend_opening(self):
        self.openings += 1
class App:
    is_up = True
    def __init__(self, settings):
        self.config = {"uplink": settings}
        identity = {"gateway": "gw", "board": "host", "version": "1", "runtime": "t", "boot": 1}
        kind = Poster if settings["kind"] == "https" else Uplink
        self.uplink = kind(settings, MemoryJournal(), identity, lambda n: 0)
        self.uplink.budget = Counts() if settings["counts"] else None
        self.log = self
        self.clock = Clock()
        self.clock.remembered_ms = settings["remembered"]
        self.floor = Floor(self.clock, None)
        self.certificates = Certificates(Files(settings["folder"]), print, settings)
        self.rotates = settings["rotate"]
        if self.rotates:
            with open(self.rotates, "rb") as file:
                der = b2a_base64(file.read()).decode()
            self.certificates.order({"drop": True})
            self.certificates.order({"part": "ca", "der": der})
            self.certificates.order({"try": True})
    def info(self, who, text, *values):
        print(text % values)
        if not self.rotates:
            sys.exit(0)
async def watch(app):
    while app.uplink.state != "online":
        await asyncio.sleep_ms(20)
    if app.uplink.budget:
        await asyncio.sleep_ms(500)  # until birth and its PUBACK have passed
        print("counted", app.uplink.budget.openings, app.uplink.budget.bytes)
    print("online")
    sys.exit(0)
async def main():
    app = App(settings)
    asyncio.create_task(watch(app))
    await carrier.run(app, Hal(), Names(lambda n: 0), app)
asyncio.run(main())
"""


def _run(tmp_path, port, ca, cert=None, env=None, **changes):
    settings = {"host": "localhost", "port": port, "tls": True, "ca": f"{ca}.der"}
    own = (f"{cert}.der", f"{cert}.key.der") if cert else ("", "")
    settings |= {"cert": own[0], "cert_key": own[1], "folder": f"{tmp_path}/state"}
    settings |= {"rotate": "", "counts": False, "kind": "mqtt", "clock": "", "remembered": 0}
    told = tmp_path / "settings.json"
    told.write_text(json.dumps(settings | changes))
    script = tmp_path / "gateway.py"
    script.write_text(_GATEWAY)
    done = subprocess.run(
        [interpreter(), str(script), str(told)],
        cwd=ROOT,
        env={**os.environ, "MICROPYPATH": f"{ROOT}:.frozen", **(env or {})},
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    return (done.stdout + done.stderr).strip()


class _Trap(threading.Thread):
    """Accepts one connection with a certificate, or plain, and counts what is sent to it."""

    def __init__(self, cert, lure=b""):
        super().__init__(daemon=True)
        self._lure = lure
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._cert = cert
        self.payload = b""
        self.handshakes = 0
        self.start()

    def run(self):
        peer, _ = self._socket.accept()
        peer.settimeout(2)
        try:
            if self._cert:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(f"{self._cert}.pem", f"{self._cert}.key.pem")
                context.maximum_version = ssl.TLSVersion.TLSv1_2
                peer = context.wrap_socket(peer, server_side=True)
                self.handshakes += 1
                self.payload += peer.recv(4096)
            else:
                self.payload += peer.recv(4096)
                peer.sendall(self._lure)  # come on, no TLS here
                self.payload += peer.recv(4096)
        except OSError:
            pass
        finally:
            peer.close()


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path, "ours")


_KINDS = ("mqtt", "https")
_SIGNS = {"mqtt": b"MQTT", "https": b"POST"}  # how payload of ours begins
_LURES = {"mqtt": b"\x20\x02\x00\x00", "https": b"HTTP/1.1 204 No Content\r\n\r\n"}


@pytest.mark.parametrize("kind", _KINDS)
def test_a_trap_with_a_good_certificate_gets_payload(tmp_path, authority, kind):
    trap = _Trap(authority.issue("server"))
    _run(tmp_path, trap.port, authority.folder / "ca", kind=kind)
    trap.join(6)
    assert _SIGNS[kind] in trap.payload


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("fault", ["ca", "host", "expired", "future", "self_signed"])
def test_a_peer_with_a_bad_certificate_gets_nothing(tmp_path, authority, fault, kind):
    cert = {
        "ca": lambda: Authority(tmp_path, "theirs").issue("server"),
        "host": lambda: authority.issue("server", host="other.example"),
        "expired": lambda: authority.issue("server", days=(-30, -1)),
        "future": lambda: authority.issue("server", days=(1, 30)),
        "self_signed": lambda: authority.issue("server", self_signed=True),
    }[fault]()
    trap = _Trap(cert)
    said = _run(tmp_path, trap.port, authority.folder / "ca", kind=kind)
    trap.join(6)
    assert trap.payload == b"" and "certificate refused" in said, said
    assert "the clock is not set" in said and f"TLS assumes {FLOOR_MS}" in said, said


@pytest.mark.parametrize("kind", _KINDS)
def test_a_peer_in_the_clear_sees_a_greeting_of_tls_and_nothing_else(tmp_path, authority, kind):
    trap = _Trap(None, _LURES[kind])
    said = _run(tmp_path, trap.port, authority.folder / "ca", kind=kind)
    trap.join(6)
    assert trap.payload[:2] == b"\x16\x03" and "online" not in said, said
    assert 5 + int.from_bytes(trap.payload[3:5], "big") >= len(trap.payload) - 7  # but an alert
    assert _SIGNS[kind] not in trap.payload


def test_mosquitto_with_mutual_certificates(tmp_path, authority):
    if not is_there("mosquitto"):
        pytest.skip("mosquitto is not installed")
    own = authority.issue("gw")
    ca = authority.folder / "ca"
    good, late = authority.issue("server"), authority.issue("late", days=(-30, -1))
    for cert in (good, late):
        (tmp_path / cert.name).mkdir()
        with BrokerProcess("mosquitto", tmp_path / cert.name, (cert, ca)) as broker:
            said = _run(tmp_path, broker.port, ca, own)
            if cert == late:
                assert "certificate refused" in said and "online" not in said, said
                continue
            assert said.endswith("online"), said
            assert "online" not in _run(tmp_path, broker.port, ca)


def test_nats_with_mutual_certificates(tmp_path, authority):
    server, own = authority.issue("server"), authority.issue("gw")
    papers = Papers(Path(f"{server}.pem"), Path(f"{server}.key.pem"), authority.folder / "ca.pem")
    with Supervisor() as supervisor:
        broker = Broker(supervisor, tmp_path / "broker", papers=papers)
        broker.start()
        port = broker.mqtt_port
        assert _run(tmp_path, port, authority.folder / "ca", own).endswith("online")
        with TCPFaultProxy(("127.0.0.1", port)) as proxy:
            there = proxy.address[1]
            said = _run(tmp_path, there, authority.folder / "ca", own, counts=True)
            passed = sum(proxy.passed.values())
        openings, counted = (int(word) for word in said.split("counted ")[1].split()[:2])
        assert openings == 1 and 1500 < counted, said
        assert 0 <= passed - counted < 64, (counted, passed)  # but for the alert at the end
        # A wrong authority on trial: refused once, then the present one's turn.
        wrong = Authority(tmp_path, "theirs").folder / "ca.der"
        said = _run(tmp_path, port, authority.folder / "ca", own, rotate=str(wrong))
        assert "certificate refused" in said and said.endswith("online"), said
        right = authority.folder / "ca.der"
        said = _run(tmp_path, port, wrong.with_suffix(""), own, rotate=str(right))
        assert "refused" not in said and said.endswith("online"), said
        assert "online" not in _run(tmp_path, port, authority.folder / "ca")


_CLOCK = """
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
time_t time(time_t *out) {
    long long now = 0;
    FILE *file = fopen(getenv("CLOCK_FILE"), "r");
    if (file) { if (fscanf(file, "%lld", &now) != 1) now = 0; fclose(file); }
    if (out) *out = (time_t)now;
    return (time_t)now;
}
"""
_YEAR_2000_S = 946684800
_DAY_MS = 86_400_000


@pytest.fixture
def settable(tmp_path):
    """Return a file whose number of seconds mbedTLS takes for the time, and how to have it so."""
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("no C compiler: this computer's clock cannot be stood in for")
    source, library, clock = (tmp_path / name for name in ("clock.c", "clock.so", "clock"))
    source.write_text(_CLOCK)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    clock.write_text(str(_YEAR_2000_S))
    return clock, {"LD_PRELOAD": str(library), "CLOCK_FILE": str(clock)}


def test_a_chip_that_wakes_in_2000_needs_the_floor_to_get_in(tmp_path, settable):
    """mbedTLS itself checks the dates, by a clock that only the floor moves."""
    clock, env = settable
    now_s = int(time.time())
    ours = Authority(tmp_path, "ours", days=(-900, 30))
    ca = ours.folder / "ca"
    since_floor = (now_s * 1000 - FLOOR_MS) // _DAY_MS

    def run(cert, clock_file="", remembered=0):
        clock.write_text(str(_YEAR_2000_S))
        trap = _Trap(cert)
        said = _run(tmp_path, trap.port, ca, env=env, clock=str(clock_file), remembered=remembered)
        trap.join(6)
        return said, trap.payload

    long_valid = ours.issue("server", days=(-900, 30))
    said, payload = run(long_valid)  # nobody moves the clock: it is 2000, before every date
    assert "certificate refused" in said and payload == b"", said
    said, payload = run(long_valid, clock)
    assert b"MQTT" in payload and f"TLS assumes {FLOOR_MS}" in said, said
    # Issued after the program was written: the floor is not enough, the last time in flash is.
    fresh = ours.issue("fresh", days=(-2, 30))
    said, payload = run(fresh, clock)
    assert "the clock is not set" in said and payload == b"", said
    assert b"MQTT" in run(fresh, clock, now_s * 1000 - _DAY_MS)[1]
    # A certificate that ran out before the floor gets no second youth from a clock in the past.
    old = ours.issue("old", days=(-900, -since_floor - 1))
    said, payload = run(old, clock)
    assert "certificate refused" in said and payload == b"", said
