"""The device posts on MicroPython to the collector's own endpoint, with faults between."""

import json
import os
import random
import ssl
import subprocess
import threading
import time

import sqlalchemy as sa

from host_tools.collect import tables
from host_tools.collect.database import open_database
from host_tools.collect.endpoint import Endpoint
from host_tools.collect.store import Store
from tests.fakes.authority import Authority
from tests.fakes.tcp_fault_proxy import TCPFaultProxy
from tests.on_micropython import ROOT, interpreter

_KEY = bytes(range(32))
_GATEWAY = """
import asyncio, json, os, sys, time
from agent.certificates import Certificates
from agent.clock import Clock
from agent.floor import Floor
from agent.journal import Journal
from agent.names import Names
from agent.poster import Poster
from agent.record import EVENT
from agent.store import Files
from firmware import carrier
class Hal:
    def ticks_ms(self):
        return time.ticks_ms() & (1 << 30) - 1
    def set_wall(self, ms):
        pass
def below(n):
    return int.from_bytes(os.urandom(4), "big") % n
class App:
    is_up = True
    def __init__(self, settings):
        self.config = {"uplink": settings}
        self.journal = Journal(Files(settings["folder"]), lambda: 77, 1 << 20)
        self.journal.start()
        self.uplink = Poster(settings, self.journal, {"gateway": "gw"}, below)
        self.uplink._backoff._cap_ms = 100
        self.uplink.birth = self.birth
        self.log = self
        self.floor = Floor(Clock(), None)
        self.certificates = Certificates(None, print, settings)
    def birth(self):
        tree = {"gateway": "gw", "site": "s", "journal": 77, "first": self.journal.first}
        tree["next"] = self.journal.next
        tree["schema"] = {"config": "0a0b0c0d", "gateway": "gw", "site": "s", "meters": []}
        return json.dumps(tree).encode()
    def info(self, who, text, *values):
        print(text % values)
async def main():
    with open(sys.argv[1]) as file:
        app = App(json.load(file))
    task = asyncio.create_task(carrier.run(app, Hal(), Names(lambda n: 0), app))
    for number in range(30):
        for _ in range(10):
            event = {"at_ms": 0, "boot": 1, "uptime_ms": 1, "what": "x", "meter": "", "why": ""}
            data = json.dumps(event).encode()
            app.journal.append(EVENT, data, 0, len(data))
        app.journal.sync()
        await asyncio.sleep_ms(50)
    for _ in range(400):
        if app.journal.acked == app.journal.durable:
            break
        await asyncio.sleep_ms(50)
    print("acked", app.journal.acked, "refused", app.uplink.counters["acks_refused"])
asyncio.run(main())
"""


def test_records_posted_through_faults_are_stored_once(tmp_path):
    ours = Authority(tmp_path, "ours")
    server, own = ours.issue("server"), ours.issue("gw", host="gw")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{server}.pem", f"{server}.key.pem")
    context.load_verify_locations(f"{ours.folder}/ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    engine = open_database(f"sqlite:///{tmp_path}/site.db")
    keys = {"gw": _KEY}
    with (
        Endpoint(Store(engine), ("127.0.0.1", 0), context, keys) as endpoint,
        TCPFaultProxy(("127.0.0.1", endpoint.port)) as proxy,
    ):
        settings = {
            "host": "localhost",
            "port": proxy.address[1],
            "tls": True,
            "ca": f"{ours.folder}/ca.der",
            "cert": f"{own}.der",
            "cert_key": f"{own}.key.der",
            "key": _KEY.hex(),
            "folder": f"{tmp_path}/journal",
        }
        told = tmp_path / "settings.json"
        told.write_text(json.dumps(settings))
        script = tmp_path / "gateway.py"
        script.write_text(_GATEWAY)
        done = threading.Event()
        rng = random.Random(11)

        def trouble():
            while not done.wait(0.15):
                fault = rng.randrange(4)
                if fault == 0:
                    proxy.cut_after(rng.choice(("up", "down")), rng.randrange(1, 6000))
                elif fault == 1:
                    proxy.cut()
                elif fault == 2:
                    proxy.flip(rng.choice(("up", "down")), rng.randrange(4000))
                else:
                    proxy.refuse_server = True
                time.sleep(0.02)  # how long the fault lasts
                proxy.mend()

        thread = threading.Thread(target=trouble, daemon=True)
        thread.start()
        ran = subprocess.run(
            [interpreter(), "-X", "heapsize=384k", str(script), str(told)],
            cwd=ROOT,
            env={**os.environ, "MICROPYPATH": f"{ROOT}:.frozen"},
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        done.set()
        thread.join()
    said = ran.stdout + ran.stderr
    assert said.strip().endswith("acked 300 refused 0"), said[-2000:]
    with engine.connect() as connection:
        stored = connection.execute(sa.select(tables.record.c.seq)).scalars().all()
    assert sorted(stored) == list(range(1, 301))  # lost 0, duplicated 0
    assert proxy.connections > 1, "no fault ever hit a connection"
