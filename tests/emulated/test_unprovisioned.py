"""A bare board is provisioned by cable, runs, is put into maintenance and forgets, on MicroPython.

What a technician's computer would type through mpremote is run on the image of an emulated board.
"""

import base64
import datetime
import json
import secrets
import socket
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from host_tools.packing import image
from host_tools.processes.supervisor import Supervisor
from host_tools.sim.board import EmulatedBoard
from tests.fakes.authority import Authority
from tests.on_micropython import interpreter

ROOT = Path(__file__).resolve().parent.parent.parent
CONFIG: dict[str, Any] = {
    "gateway": "gw-a",
    "board": "host",
    "ports": [],
    "meters": [],
    "uplink": {"host": "127.0.0.1", "port": 9},
}
_CABLE = """
import json, os, sys
sys.path.insert(0, "firmware")
import host_start
platform = host_start.Platform({"flash": sys.argv[1], "blocks": 256})
os.chdir("/flash")
sys.path[:] = ["/flash", ".frozen"]
import boot
boot.mount(platform)
from firmware import provision
"""


class Bench:
    """One board's flash and the cable to it."""

    def __init__(self, folder):
        self.folder = folder
        self.image = folder / "gw.img"
        image.build(self.image, None)
        self.lines = []

    def run(self, code, *args):
        done = subprocess.run(
            [interpreter(), "-X", "heapsize=384k", "-c", _CABLE + code, str(self.image), *args],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip().splitlines()

    def say(self, call):
        return json.loads(self.run(f"provision.{call}")[-1])

    def until(self, text):
        with Supervisor() as supervisor:
            heard = threading.Event()

            def on_line(line):
                self.lines.append(line)
                if text in line:
                    heard.set()

            board = EmulatedBoard(supervisor, self.image, {}, on_line=on_line)
            board.power_on()
            assert heard.wait(30), "\n".join(self.lines)
            board.power_cut()


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_a_bare_board_keeps_off_the_network_until_it_is_provisioned(bench):
    bench.until("not provisioned: there is no configuration. It keeps off the network")
    assert not any("uplink" in line for line in bench.lines)
    assert image.read(bench.image, "/slot").startswith(b"a - 0 0 0 ")  # no fault of the firmware
    bench.say("request('gw-a', '00ff', root='/flash')")
    key = image.read(bench.image, "/certs/own.key")[7:39]
    canary = secrets.token_hex(32)
    order = json.dumps({"config": CONFIG, "secrets": {"uplink.key": canary}})
    found = bench.say("identity(root='/flash')")
    assert not found["provisioned"] and found["slots"][0]["boards"] == ["host"]
    assert bench.say(f"take({order!r}, root='/flash')")["ok"]
    bench.until("gw-a: 0 meters, start by power")
    bench.until("uplink")
    assert not any(canary in line for line in bench.lines)
    assert canary.encode() in bench.image.read_bytes() and key in bench.image.read_bytes()
    assert bench.say("forget(root='/flash')")["ok"]
    assert canary.encode() not in bench.image.read_bytes()
    assert key not in bench.image.read_bytes()
    bench.until("not provisioned")


def test_maintenance_is_one_start_that_runs_nothing(bench):
    order = json.dumps({"config": CONFIG, "secrets": {}})
    assert bench.say(f"take({order!r}, root='/flash')")["ok"]
    bench.run("platform.reset = lambda: None\nboot.maintain(5, platform)")
    bench.until("maintenance: nothing runs; this board starts by itself in 5 min")
    assert not any("start by" in line for line in bench.lines)
    bench.until("gw-a: 0 meters")


def test_a_key_made_here_and_its_certificate_are_taken_by_a_tls_server(bench):
    answer = bench.say("request('gw-a', '00ff', root='/flash')")
    request = x509.load_der_x509_csr(base64.b64decode(answer["request"]))
    assert request.is_signature_valid
    authority = Authority(bench.folder, "town")
    server = authority.issue("server")
    own = (
        x509.CertificateBuilder()
        .subject_name(request.subject)
        .issuer_name(authority.name)
        .public_key(request.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_day(-1))
        .not_valid_after(_day(30))
        .sign(authority.key, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )
    ca = (authority.folder / "ca.der").read_bytes()
    order = json.dumps(
        {
            "config": CONFIG | {"uplink": CONFIG["uplink"] | {"tls": True}},
            "certificates": {
                "ca": base64.b64encode(ca).decode(),
                "cert": base64.b64encode(own).decode(),
            },
        }
    )
    taken = bench.say(f"take({order!r}, root='/flash')")
    assert taken["ok"], taken
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{server}.pem", f"{server}.key.pem")
    context.load_verify_locations(authority.folder / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    names = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            plain, _ = listening.accept()
            with context.wrap_socket(plain, server_side=True) as peer:
                shown = peer.getpeercert()
                assert shown
                names.append(shown["subject"])
                peer.sendall(b"welcome")

        thread = threading.Thread(target=serve)
        thread.start()
        lines = bench.run(
            "from agent.settings import Settings\n"
            "from firmware import net\n"
            "import socket\n"
            "settings = Settings('/flash').choose()['uplink']\n"
            "settings['host'] = 'localhost'\n"
            "plain = socket.socket()\n"
            "plain.connect(socket.getaddrinfo('127.0.0.1', int(sys.argv[2]))[0][-1])\n"
            "print(net.secure(plain, settings).read(7))\n",
            str(listening.getsockname()[1]),
        )
        thread.join(10)
    assert lines[-1] == "b'welcome'"
    assert names == [((("commonName", "gw-a"),),)]


def _day(count):
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=count)
