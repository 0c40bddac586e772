"""A gateway that only the web reaches: it finds its new firmware at the collector by itself."""

import random
import tempfile
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from host_tools.collect.database import open_database
from host_tools.collect.endpoint import Endpoint
from host_tools.collect.store import Store
from host_tools.packing import bundle, image, release
from host_tools.processes.supervisor import Supervisor
from host_tools.sim.board import EmulatedBoard

KEY = bytes(range(32))
NAME = "gw-a"


def _slot(path):
    return image.read(path, "/slot").split(b"\n")[0].decode().split(" ", 5)


def test_a_firmware_is_fetched_through_a_power_cut_tried_and_confirmed(tmp_path):
    with tempfile.TemporaryDirectory() as folder:
        files = image.compile_all(Path(folder))
    key = rsa.generate_private_key(65537, 3072)
    extra = {"drivers/new.mpy": random.Random(7).randbytes(60_000)}
    data = release.sign(bundle.pack(files | extra, "2.0", 2, ["host"]), key)
    old = release.sign(bundle.pack(files, "1.0", 1, ["host"]), key)
    engine = open_database(f"sqlite:///{tmp_path}/readings.db")
    lines: list[str] = []

    def until(holds):
        deadline_s = time.monotonic() + 90
        while not holds():
            assert time.monotonic() < deadline_s, "\n".join(lines[-30:])
            time.sleep(0.05)

    with (
        Endpoint(Store(engine), ("127.0.0.1", 0), keys={NAME: KEY}, bundles=tmp_path) as endpoint,
        Supervisor() as supervisor,
    ):
        uplink = {"kind": "https", "host": "127.0.0.1", "port": endpoint.port, "key": KEY.hex()}
        configuration = {
            "gateway": NAME,
            "board": "host",
            "ports": [],
            "meters": [],
            "uplink": uplink,
            "update": {"settle_s": 1, "trial_s": 60},
        }
        path = tmp_path / "gw.img"
        state = {"/state/keys": release.modulus(key)}
        image.build(path, configuration, firmware=old, files=state)
        (tmp_path / f"{NAME}.bundle").write_bytes(data)
        board = EmulatedBoard(supervisor, path, {}, on_line=lines.append)
        board.power_on()
        until(lambda: "/b" in image.listing(path) and image.listing(path)["/b"] > 20_000)
        board.power_cut()
        assert _slot(path)[:2] == ["a", "-"]
        board.power_on()
        until(lambda: _slot(path)[:2] == ["b", "-"])
        board.power_cut()
        assert image.read(path, "/b") == data
        assert image.read(path, "/state/tried") == data[52:56]
