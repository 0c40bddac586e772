"""What a technician does to a gateway later: settings, maintenance, reset, logs, archives."""

import json
import zipfile

import pytest

from agent.record import BOOT, SCHEMA, check_record
from host_tools.cable import archive
from host_tools.cable import provision as library
from host_tools.cable.prompt import Prompt
from host_tools.collect import rescue
from host_tools.packing import image
from host_tools.planning.site_file import read_site
from host_tools.problems import DEVICE, FAILED, INPUT, OK, USAGE, Problem
from tests.emulated.bare import await_words, deployed
from tests.typed import eclor

PHRASE = "une longue phrase de passe"
WIFI = "CANARY-of-the-wifi"
SITE = """
site: ecole
gateways:
  - name: gw-ecole
    board: host
    ports: [{name: rs485, uart: uart1}]
    meters: [{name: kitchen, port: rs485, protocol: modbus, map: sdm120}]
    network: {wifi: [{ssid: mairie}]}
    uplink: {host: 127.0.0.1, port: 9}
"""


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.getbasetemp()


def _plan(folder, **changes):
    path = folder / "site.yaml"
    text = SITE
    for old, new in changes.items():
        text = text.replace(old, new)
    path.write_text(text)
    plan = library.plan_for(read_site(path), "gw-ecole")
    plan.secrets["network.wifi.mairie.key"] = WIFI
    return plan


@pytest.fixture
def board(tmp_path, scratch):
    with deployed(tmp_path / "board", scratch) as made:
        library.provision(made.port, _plan(tmp_path), library.Papers(), claims=tmp_path)
        await_words(made, "gw-ecole: 1 meters")
        made.said.clear()
        yield made


def test_a_start_that_was_interrupted_in_its_first_import_is_no_obstacle(board):
    with Prompt(board.port) as prompt:
        prompt.run("import sys\nclass Half:pass\nsys.modules['boot']=Half")
    with Prompt(board.port) as prompt:
        assert prompt.value("hasattr(__import__('boot'), 'mount')")


def test_settings_are_shown_pushed_and_refused(board, tmp_path):
    shown = library.settings(board.port)
    assert shown["gateway"] == "gw-ecole" and shown["config"]["meters"][0]["name"] == "kitchen"
    assert shown["secrets"] == ["network.wifi.mairie.key"] and WIFI not in json.dumps(shown)
    await_words(board, "gw-ecole: 1 meters")  # it runs again
    board.said.clear()
    plan = _plan(tmp_path, kitchen="cuisine")
    told = library.push(board.port, plan)
    assert told["trial"] and told["config"] != shown["hash"]
    await_words(board, "gw-ecole: 1 meters")
    assert b"cuisine" in image.read(board.image, "/config-a.json")
    plan.config["meters"][0]["port"] = "nowhere"
    assert "no port is named nowhere" in library.problems(board.port, plan)[0]
    with pytest.raises(Problem) as error:
        library.push(board.port, plan)
    assert error.value.code == FAILED and "nothing was changed" in error.value.remedy
    plan.gateway = "gw-mairie"
    with pytest.raises(Problem) as error:
        library.push(board.port, plan)
    assert error.value.code == INPUT and "is gw-ecole, not gw-mairie" in error.value.what


def _eclor(*words, text=""):
    return eclor(*words, text=text, ECLOR_PASSPHRASE=PHRASE)


def test_maintenance_reset_and_logs(board, tmp_path):
    port = ("--port", board.port)
    done = _eclor("maintenance", "on", *port, "--minutes", "5", "--json")
    assert done.returncode == OK and json.loads(done.stdout)["maintenance"] == "on"
    starts = board.starts
    assert b"gw-ecole" not in bytes(board.said)[-300:]
    done = _eclor("--lang", "fr", "maintenance", "off", *port)
    assert done.returncode == OK and "démarre" in done.stdout and board.starts == starts + 1
    file = tmp_path / "log.txt"
    done = _eclor("logs", *port, "--out", str(file), "--level", "info", "--seconds", "3")
    assert done.returncode == OK, done.stderr
    lines = file.read_text().splitlines()
    assert lines and all(line[:2] == "20" and "T" in line[:11] for line in lines)
    assert _eclor("reset", *port, "--journal").returncode == USAGE
    assert _eclor("reset", *port, "--forget").returncode == USAGE, "nobody is there to say yes"
    assert _eclor("reset", *port, "--forget", "--yes").returncode == OK
    await_words(board, "not provisioned")
    assert not [name for name in image.listing(board.image) if "secrets" in name]
    assert WIFI.encode() not in board.image.read_bytes(), "overwritten, not only freed"
    board.unplug()
    assert _eclor("maintenance", "on", *port).returncode == DEVICE


def test_maintenance_ends_by_itself(board):
    with Prompt(board.port) as prompt:
        prompt.enter_maintenance()
    board.said.clear()
    with board._lock:
        board._starts_s = 1.0  # long ago
    await_words(board, "gw-ecole: 1 meters")


def _put_back(board, path, *, phrase="", replaces=False):
    with Prompt(board.port) as prompt:
        return archive.restore(prompt, path, phrase, replaces=replaces)


def test_a_gateway_comes_back_from_its_archive_with_its_secrets_locked(board, tmp_path, scratch):
    plain, locked = tmp_path / "plain.zip", tmp_path / "locked.zip"
    with Prompt(board.port) as prompt:
        about = archive.backup(prompt, plain)
        assert about.gateway == "gw-ecole" and about.secrets == 0
        assert archive.backup(prompt, locked, PHRASE).secrets == 2
    own = image.read(board.image, "/certs/own.key")
    for path in (plain, locked):
        with zipfile.ZipFile(path) as opened:
            everything = b"".join(opened.read(name) for name in opened.namelist())
        assert WIFI.encode() not in everything and own[7:39] not in everything
        assert any(name.startswith("journal/") for name in archive.inspect(path).files)
        kinds = [check_record(data, 0, len(data))[0] for data in rescue.rescue(path).records]
        assert SCHEMA in kinds and BOOT in kinds, "the collector can read what it held"
    with deployed(tmp_path / "other", scratch, mac="02ec10000002") as other:
        with pytest.raises(Problem) as error:
            _put_back(other, locked, phrase=PHRASE)
        assert "--replaces" in error.value.remedy and error.value.code == INPUT
        with pytest.raises(Problem) as error:
            _put_back(other, locked, phrase="another passphrase", replaces=True)
        assert "does not open" in error.value.what
        with pytest.raises(Problem):
            _put_back(other, plain, phrase=PHRASE, replaces=True)
        first = _put_back(other, plain, replaces=True)
        assert not [name for name in first if "config" in name or "journal" in name]
        written = _put_back(other, locked, phrase=PHRASE, replaces=True)
        assert {"secrets-b.json", "certs/own.key", "settings"} <= set(written)
        assert written[-1] == "settings" and not any("journal" in name for name in written)
        other.power_cut()
        other.power_on()
        await_words(other, "gw-ecole: 1 meters")
        assert image.read(other.image, "/certs/own.key") == own
    assert _put_back(board, locked, phrase=PHRASE) == [], "nothing differs but what it counted"


def test_an_archive_that_is_damaged_is_refused(board, tmp_path):
    path = tmp_path / "gw.zip"
    with Prompt(board.port) as prompt:
        archive.backup(prompt, path)
    for content, says in ((b"PK", "no whole archive"), (path.read_bytes()[:-30], "no whole")):
        (tmp_path / "bad.zip").write_bytes(content)
        with pytest.raises(Problem) as error:
            archive.inspect(tmp_path / "bad.zip")
        assert says in error.value.what and error.value.code == INPUT
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "bad.zip", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name) + (b"x" if name == "files/main.py" else b""))
    with pytest.raises(Problem) as error:
        archive.inspect(tmp_path / "bad.zip")
    assert "main.py is damaged" in error.value.what and error.value.code == FAILED


_ESP32 = b"""
class Partition:
    TYPE_DATA = 1
    def find(kind, label): return [Partition()] if label == 'journal' else []
    def info(self): return (1, 6, 0x300000, 8192, 'journal', False)
    def readblocks(self, block, buffer, offset):
        for i in range(len(buffer)): buffer[i] = 0xAB if block == 1 and offset == 1024 else 255
"""


def test_the_journals_own_region_is_in_the_archive(board, tmp_path):
    with Prompt(board.port) as prompt:
        prompt.put("esp32.py", _ESP32)
        archive.backup(prompt, tmp_path / "gw.zip")
        prompt.remove("esp32.py")
    with zipfile.ZipFile(tmp_path / "gw.zip") as opened:
        ring = opened.read("journal.bin")
    assert len(ring) == 8192 and ring[5120:6144] == b"\xab" * 1024 and ring.count(255) == 7168


def test_archives_from_the_command_line(board, tmp_path):
    path = tmp_path / "gw.zip"
    done = _eclor("--lang", "fr", "backup", str(path), "--port", board.port, "--with-secrets")
    assert done.returncode == OK and "gw-ecole" in done.stdout, done.stderr
    assert PHRASE not in done.stdout + done.stderr
    done = _eclor("restore", str(path), "--port", board.port, "--with-secrets", "--json")
    assert done.returncode == OK and json.loads(done.stdout)["written"] == []
    assert _eclor("restore", "nowhere.zip", "--port", board.port).returncode == INPUT
    done = _eclor("config", "show", "--port", board.port, "--json")
    assert done.returncode == OK and json.loads(done.stdout)["gateway"] == "gw-ecole"
