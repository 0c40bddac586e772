"""A broker, a collector and a gateway without meters on the emulated board, for changes to it."""

import json
import ssl
import time

from cryptography.hazmat.primitives import serialization

from agent.settings import split
from host_tools.collect.collector import Collector
from host_tools.collect.jetstream import JetStream
from host_tools.demo.papers import HOST, make_papers
from host_tools.packing import bundle, image, release
from host_tools.processes.broker import Broker
from host_tools.remote.broker_at import context_of
from host_tools.remote.serve_bundle import BundleServer
from host_tools.sim.board import EmulatedBoard

KEY = bytes(range(32))
GATEWAY = "gw-a"


def _context(folder, on_flash):
    """Return the context of whoever orders, who shows the gateway's own papers here."""
    own = folder / "own.pem"
    own.write_text(ssl.DER_cert_to_PEM_cert(on_flash["/gw.der"]))
    key = serialization.load_der_private_key(on_flash["/gw.key.der"], None)
    own.with_suffix(".key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return context_of(folder / "ca.pem", own)


class World:
    """A broker, a collector and a gateway without meters."""

    def __init__(
        self,
        supervisor,
        folder,
        files,
        key=None,
        skips_sleep=False,
        frozen="",
        is_tls=False,
        **changes,
    ):
        """frozen: a MicroPython that has the firmware, so that no slot holds it. is_tls: gateway
        and broker check each other's certificates. changes: of the configuration.
        """
        self.folder = folder
        self.lines = []
        self.begun_s = time.monotonic()
        self.key = key
        self.files = files
        self.context = None
        on_flash = {}
        if is_tls:
            papers, on_flash = make_papers(folder / "papers", GATEWAY)
            self.context = _context(folder / "papers", on_flash)
        self.broker = Broker(supervisor, folder / "broker", papers=papers if is_tls else None)
        self.broker.start()
        node = f"nats://127.0.0.1:{self.broker.client_port}"
        self.collector = Collector(
            "127.0.0.1",
            self.broker.mqtt_port,
            f"sqlite:///{folder}/readings.db",
            keys={GATEWAY: KEY},
            source=(lambda told: JetStream([node], "collectors", told, {GATEWAY: KEY}))
            if is_tls
            else None,
        )
        self.collector.start()
        self.image = folder / "gw.img"
        self.host = HOST if is_tls else "127.0.0.1"
        uplink = {"host": self.host, "port": self.broker.mqtt_port, "key": KEY.hex()}
        if is_tls:
            uplink |= {"tls": True, "ca": "/flash/ca.der", "cert": "/flash/gw.der"}
            uplink |= {"cert_key": "/flash/gw.key.der"}
        self.configuration = configuration = {
            "gateway": GATEWAY,
            "board": "host",
            "ports": [],
            "meters": [],
            "uplink": uplink | {"state_s": 1, "keepalive_s": 10},
            "update": {"settle_s": 1, "trial_s": 12},
        } | changes
        old = b"" if frozen else bundle.pack(files, "1.0", 1, ["host"])
        image.build(
            self.image,
            configuration,
            firmware=old,
            files=on_flash | ({"/state/keys": release.modulus(key)} if key else {}),
        )
        self.board = EmulatedBoard(
            supervisor,
            self.image,
            {},
            on_line=self._line,
            watchdog_s=3,
            skips_sleep=skips_sleep,
            interpreter=frozen,
        )

    def _line(self, line):
        self.lines.append("%.1f %s" % (time.monotonic() - self.begun_s, line))

    def bundle(self, version="2.0", counter=2, changed=None, key=None, next_key=b""):
        files = self.files | (changed or {})
        data = bundle.pack(files, version, counter, ["host"], next_key=next_key)
        return release.sign(data, key or self.key)

    def slot(self):
        """What /slot says."""
        return image.read(self.image, "/slot").split(b"\n")[0].decode().split(" ", 5)

    def settings(self):
        """What /settings says; no word before the first change."""
        try:
            line = image.read(self.image, "/settings")
        except KeyError:
            return []
        return line.split(b"\n")[0].decode().split(" ", 5)

    def command(self, server, counter, do, args, retain=False):
        """Order something, return the answer."""
        server.command(GATEWAY, counter, do, args, retain=retain)
        heard, name = server.heard[GATEWAY], f"{do}-{counter}"
        self.until(lambda: name in heard.answers)
        return heard.answers[name]

    def configure(self, server, changed, first=1):
        """Send a changed configuration in two pieces and have it tried; return the answer."""
        text = json.dumps(split(self.configuration | changed)[0])
        half = len(text) // 2
        for at, end in ((0, half), (half, len(text))):
            args = {"at": at, "text": text[at:end]}
            answer = self.command(server, first, "configure", args)
            assert answer["ok"] and answer["result"] == {"have": end}, answer
            first += 1
        return self.command(server, first, "configure", {"try": True})

    def events(self):
        """What the collector has stored of the gateway's events, as texts."""
        with self.collector.engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT * FROM event").fetchall()
        return [str(row) for row in rows]

    def serve(self, data=bytes(960)):
        return BundleServer(
            self.host, self.broker.mqtt_port, data, {GATEWAY: KEY}, context=self.context
        )

    def until(self, holds, seconds=60.0):
        deadline_s = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline_s, "\n".join(self.lines[-30:])
            time.sleep(0.2)

    def close(self):
        self.board.power_cut()
        self.collector.stop()
