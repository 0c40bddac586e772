"""A gateway with no whole firmware: it fetches one, takes nothing else, keeps its readings."""

import secrets
import tempfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from agent.commands import seal
from host_tools.packing import bundle, image
from host_tools.processes.supervisor import Supervisor
from tests.fakes.gateway_and_collector import GATEWAY, World


@pytest.fixture
def world(tmp_path):
    with tempfile.TemporaryDirectory() as folder:
        files = image.compile_all(Path(folder))
    key = rsa.generate_private_key(65537, 3072)
    with Supervisor() as supervisor:
        made = World(supervisor, tmp_path, files, key, is_tls=True)
        yield made
        made.close()


def _break(world):
    """Damage the one firmware that there is, leave half of another, put /repair beside them."""
    fetcher = bundle.pack(image.repair_files(["host"]), "1.0", 1, ["host"])
    with image.mounted(world.image, write=True) as flash:
        with flash.open("/a", "rb") as file:
            firmware = bytearray(file.read())
        firmware[len(firmware) // 2] ^= 1
        for name, data in (("/a", firmware), ("/b", firmware[:40_000]), ("/repair", fetcher)):
            with flash.open(name, "wb") as file:
                file.write(bytes(data))


def _journal(world):
    names = [name for name in image.listing(world.image) if name.startswith("/journal/")]
    assert names
    return {name: image.read(world.image, name) for name in names}


def _listening(process_id):
    """Return the TCP sockets on which a process waits for others."""
    owned = set()
    for entry in Path(f"/proc/{process_id}/fd").iterdir():
        target = str(entry.readlink())
        if target.startswith("socket:["):
            owned.add(target[8:-1])
    assert owned
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [row for row in rows if row[9] in owned and row[3] == "0A"]


def test_both_slots_broken_it_says_so_fetches_a_signed_firmware_and_keeps_its_journal(world):
    data = world.bundle(counter=3)
    old = world.bundle(version="0.9", counter=0)
    unsigned = data[:576] + secrets.token_bytes(384) + data[960:]
    with world.serve(data) as server:
        heard = server.heard[GATEWAY]
        world.board.power_on()
        world.until(lambda: heard.birth.get("version") == "1.0")
        world.board.power_cut()
        _break(world)
        journal = _journal(world)

        births = heard.births
        world.board.power_on()
        world.until(lambda: "safe_mode" in heard.state)
        assert heard.state["safe_mode"][0] == "slot a is damaged"
        assert "slot b is" in heard.state["safe_mode"][1]
        text = "\n".join(world.lines)
        assert "SAFE MODE" in text and "slot a is damaged" in text
        assert _listening(world.board.process_id) == []

        forged = {"gateway": GATEWAY, "id": "update-1", "counter": 1, "until_ms": 1 << 42}
        forged |= {"do": "update", "args": {"offer": data[:960].hex()}}
        client = server._client
        client.publish(f"eclor/1/{GATEWAY}/cmd", seal(bytes(32), forged), qos=1)
        assert world.command(server, 2, "reboot", {})["why"] == "no command reboot"
        assert world.command(server, 3, "configure", {"try": True})["why"].startswith("no command")
        for counter, offer, why in ((4, old, "below 1"), (5, unsigned, "signature")):
            answer = world.command(server, counter, "update", {"offer": offer[:960].hex()})
            assert not answer["ok"] and why in answer["why"], answer
        world.until(lambda: heard.state["commands"]["forged"] == 1)
        assert heard.births == births, "the collector was told of a journal"
        assert _journal(world) == journal

        server.offer(GATEWAY, 6)
        world.until(lambda: heard.sent_bytes > 100_000)
        world.board.power_cut()  # the fetch goes on where it was
        assert _journal(world) == journal
        fetched = heard.sent_bytes
        world.board.power_on()
        world.until(lambda: heard.birth.get("version") == "2.0")
        assert heard.sent_bytes - fetched < len(data) - 80_000
        world.until(lambda: world.slot()[1] == "-")
    assert image.read(world.image, "/" + world.slot()[0]) == data
    assert not world.board.bites and not world.board.failed
    assert world.collector.progress.quarantined == 0
    with world.collector.engine.connect() as connection:
        assert not connection.exec_driver_sql("SELECT * FROM hole").fetchall()
