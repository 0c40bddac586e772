"""A gateway has died, its archive is there: what its journal held reaches the database, once."""

import json
import random
import zipfile
from hashlib import sha256

import pytest

from agent.journal import Journal
from agent.record import BLOCK, SCHEMA
from agent.ring import Ring
from agent.store import Files
from host_tools.cable import archive
from host_tools.collect import queries, rescue
from host_tools.collect.database import open_database
from host_tools.collect.store import Store
from host_tools.commands import collect
from host_tools.problems import INPUT, Problem
from tests.fakes.gateway_messages import GOOD, JOURNAL, START_MS, birth, block, schema

BLOCKS, ROWS, ACKED = 60, 20, 30


def _block(noise, number):
    """Readings that do not pack well, so that a few blocks fill a segment."""
    at_ms = START_MS + 10_000 * ROWS * number
    rows = [
        (at_ms + 10_000 * i, [noise.getrandbits(40), noise.getrandbits(40)], GOOD)
        for i in range(ROWS)
    ]
    return block(rows)


def _fill(ground, acked=ACKED):
    """Run a gateway's journal: schema, blocks, an acknowledgement, an open block; it dies."""
    journal = Journal(ground, lambda: JOURNAL, 1 << 20)
    journal.start()
    payloads = [json.dumps(schema()).encode()]
    noise = random.Random(1)
    payloads += [_block(noise, i) for i in range(BLOCKS)]
    for i, data in enumerate(payloads):
        journal.append(BLOCK if i else SCHEMA, data, 0, len(data))
    journal.sync()
    if acked:
        journal.trim_through(JOURNAL, acked)
    data = _block(noise, BLOCKS)
    journal.save_open(1_700_000_000_000, [(0, data, 0, len(data))])
    return journal


def _pack(path, board, files, ring=b""):
    about = {
        "format": archive.FORMAT,
        "gateway": "gw-a",
        "board": board,
        "serial": "1",
        "at": "2026-11-28",
        "secrets": 0,
        "files": {name: [len(data), sha256(data).hexdigest()] for name, data in files.items()},
    }
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("backup.json", json.dumps(about))
        for name, data in files.items():
            opened.writestr(f"files/{name}", data)
        if ring:
            opened.writestr(archive.RING, ring)
    return path


@pytest.fixture(params=["files", "ring"])
def dead(request, tmp_path):
    """An archive of a gateway whose journal is in files, or in a region of its own."""
    if request.param == "files":
        root = tmp_path / "flash" / "journal"
        _fill(Files(str(root), 4096))
        files = {
            f"journal/{path.relative_to(root)}": path.read_bytes()
            for path in root.rglob("*")
            if path.is_file()
        }
        assert len(files) > 4
        return _pack(tmp_path / "gw.zip", "host", files)
    region = rescue._Region(b"\xff" * 256 * 4096)
    _fill(Ring(region, 32))
    return _pack(tmp_path / "gw.zip", "esp32_poe", {}, bytes(region._data))


def _import(path, tmp_path, capsys):
    database = f"sqlite:///{tmp_path / 'readings.db'}"
    collect.command(archives=[path], database=database, as_json=True)
    (told,) = map(json.loads, capsys.readouterr().out.splitlines())
    engine = open_database(database)
    stored = queries.stored(engine)
    engine.dispose()
    return told, stored


def test_its_readings_are_stored_once(dead, tmp_path, capsys):
    engine = open_database(f"sqlite:///{tmp_path / 'readings.db'}")
    Store(engine).take([birth()])  # its collector knows it
    engine.dispose()
    told, stored = _import(dead, tmp_path, capsys)
    assert (told["gateway"], told["refused"], told["parked"], told["damaged"]) == ("gw-a", 0, 0, 0)
    # What was acknowledged is still there in its segments: a database may have been lost too.
    assert told["readings"] == stored == BLOCKS * ROWS
    assert told["open_blocks"] == 1, "it has no number, and is said"
    again, same = _import(dead, tmp_path, capsys)
    assert again["readings"] == 0 and again["repeats"] == again["records"] and same == stored


def test_damage_is_counted_and_the_rest_is_stored(tmp_path, capsys):
    root = tmp_path / "flash" / "journal"
    _fill(Files(str(root), 4096), acked=0)
    files = {
        f"journal/{path.relative_to(root)}": path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }
    name = sorted(name for name in files if "segments" in name)[0]
    rotten = bytearray(files[name])
    rotten[len(rotten) // 2] ^= 0x10
    files[name] = bytes(rotten)
    told, stored = _import(_pack(tmp_path / "gw.zip", "host", files), tmp_path, capsys)
    assert told["damaged"] and stored == (BLOCKS - 1) * ROWS
    engine = open_database(f"sqlite:///{tmp_path / 'readings.db'}")
    assert queries.declared(engine)["lost: damage"] == 1, "what is missing is declared"
    engine.dispose()


def test_what_is_no_archive_of_a_gateway_is_refused(tmp_path):
    with pytest.raises(Problem) as error:
        rescue.rescue(_pack(tmp_path / "gw.zip", "toaster", {}))
    assert error.value.code == INPUT
    (tmp_path / "x.zip").write_bytes(b"PK")
    with pytest.raises(Problem, match="no whole archive"):
        rescue.rescue(tmp_path / "x.zip")
