"""Boards are flashed side by side: ESP32 against a mock of its ROM, a Pico by a false drive."""

import contextlib
import hashlib
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from host_tools.flashing import bootloader, esp_table, uf2
from host_tools.flashing.flash import Job, flash
from host_tools.flashing.images import Images, inspect
from host_tools.planning.site_rules import board
from host_tools.problems import DEVICE, INPUT, OK, USAGE, Problem
from tests.typed import eclor

ROOT = Path(__file__).resolve().parent.parent.parent
MOCK = Path(sys.executable).with_name("esp32-mock-bootloader")


def esp_image(chip: int = 0, size: int = 90_000) -> bytes:
    """A file that looks like MicroPython's for an ESP32 (0) or ESP32-S3 (9)."""
    data = bytearray(os.urandom(size))
    data[0] = 0xE9
    struct.pack_into("<H", data, 12, chip)
    table = 0x8000 - (0x1000 if chip == 0 else 0)
    files = 0x200000 if chip == 0 else 0x600000
    entries = b"".join(
        struct.pack("<2sBBII16sI", b"\xaa\x50", kind, subtype, start, length, label, 0)
        for kind, subtype, start, length, label in (
            (1, 2, 0x9000, 0x6000, b"nvs"),
            (1, 1, 0xF000, 0x1000, b"phy_init"),
            (0, 0, 0x10000, 0x1F0000, b"factory"),
            (1, 0x81, 0x200000, files, b"vfs"),
        )
    )
    entries += b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(entries).digest()
    data[table : table + 0xC00] = entries.ljust(0xC00, b"\xff")
    return bytes(data)


def uf2_image(family: int = 0xE48BFF56, blocks: int = 300) -> bytes:
    """A UF2 file of random content."""
    out = b""
    for i in range(blocks):
        head = struct.pack(
            "<IIIIIIII", 0x0A324655, 0x9E5D5157, 0x2000, i * 256, 256, i, blocks, family
        )
        out += head + os.urandom(256) + bytes(220) + struct.pack("<I", 0x0AB16F30)
    return out


@pytest.fixture
def images(tmp_path, monkeypatch):
    monkeypatch.setenv("ECLOR_HOME", str(tmp_path / "home"))
    kept = Images()
    for name, data in (
        ("ESP32_GENERIC-20260101-v1.27.0.bin", esp_image()),
        ("ESP32_GENERIC-20260401-v1.28.0.bin", esp_image()),
        ("ESP32_GENERIC_S3-20260401-v1.28.0.bin", esp_image(9)),
        ("RPI_PICO_W-20260401-v1.28.0.uf2", uf2_image()),
        ("RPI_PICO2_W-20260401-v1.28.0.uf2", uf2_image(0xE48BFF59)),
    ):
        (tmp_path / name).write_bytes(data)
        kept.add(tmp_path / name)
    return kept


class Mock:
    """A chip's ROM on a socket, with a plug to pull."""

    def __init__(self, chip: str = "esp32") -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._number = free.getsockname()[1]
        self._chip = chip
        self.port = f"socket://127.0.0.1:{self._number}"
        self.plug_in()

    def plug_in(self) -> None:
        self._process = subprocess.Popen(
            [MOCK, "run", "--chip", self._chip, "--port", str(self._number)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(600):
            if self._process.poll() is not None:
                raise OSError("the mock has ended")
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self._number), 1).close()
                return
            time.sleep(0.05)
        raise TimeoutError(self.port)

    def unplug(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def mocks():
    made: list[Mock] = []

    def make(chip="esp32"):
        made.append(Mock(chip))
        return made[-1]

    yield make
    for mock in made:
        mock.unplug()


def _jobs(images, board, ports):
    return [Job(port, board, images.find(board)) for port in ports]


# --- images


def test_an_image_says_what_it_is(images):
    newest = images.find("esp32_generic")
    assert newest.name == "ESP32_GENERIC-20260401-v1.28.0"
    assert (newest.chip, newest.start, newest.boards) == ("esp32", 0x1000, ("esp32_generic",))
    assert images.find("esp32_s3").start == 0
    assert images.find("rpi_pico2_w").chip == "rp2350"
    with pytest.raises(Problem) as error:
        images.find("esp32_poe")
    assert "OLIMEX_ESP32_POE" in error.value.remedy


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("ESP32_GENERIC-1.bin", b"\xe9" + bytes(50_000), "no partition table"),
        ("ESP32_GENERIC-1.bin", b"hello", "no image"),
        ("ESP32_GENERIC-1.bin", b"", "no image"),
        ("RPI_PICO_W-1.uf2", uf2_image()[:-1], "cut short"),
        ("RPI_PICO_W-1.uf2", uf2_image()[:512] + bytes(512), "damaged in block 1"),
        ("RPI_PICO_W-1.uf2", uf2_image(0x1C5F21B0), "0x1c5f21b0"),
        ("RPI_PICO_W-1.uf2", uf2_image(0xE48BFF59), "is for the chip rp2350"),
        ("RPI_PICO-1.uf2", uf2_image(), "no board of ours"),
        ("ESP32_GENERIC_S3-1.bin", esp_image(0), "is for the chip esp32,"),
    ],
)
def test_what_is_no_image_for_its_board_is_refused(tmp_path, name, data, says):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(Problem) as error:
        inspect(path)
    assert says in error.value.what and error.value.code == INPUT


def test_an_image_that_rots_is_not_flashed(images, tmp_path):
    image = images.find("esp32_generic")
    path = tmp_path / "home" / "images" / image.file
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert not images.is_whole(image)
    (result,) = flash(_jobs(images, "esp32_generic", ["socket://127.0.0.1:1"]), images)
    assert result.code == INPUT and "not what was added" in result.what
    images.remove(image.name)
    assert images.find("esp32_generic").name == "ESP32_GENERIC-20260101-v1.27.0"


@pytest.mark.parametrize(("name", "chip"), [("esp32_poe", 0), ("esp32_s3", 9)])
def test_the_partition_table_gets_the_boards_journal(name, chip):
    wired = board(name)
    start = 0x1000 if chip == 0 else 0
    image = esp_image(chip)
    changed = esp_table.with_regions(image, start, wired)
    table = {part.label: (part.start, part.size) for part in esp_table.read_table(changed, start)}
    regions = {region[0]: region[1:] for region in wired["flash"]["regions"]}
    assert table["vfs"] == regions["files"] and table["journal"] == regions["journal"]
    assert table["nvs"] == regions["nvs"] and table["factory"] == regions["firmware"]
    at = 0x8000 - start
    assert changed[:at] == image[:at] and changed[at + 0xC00 :] == image[at + 0xC00 :]
    assert len(changed) == len(image)
    assert esp_table.with_regions(changed, start, wired) == changed, "again changes nothing"
    assert esp_table.with_regions(image, start, board("rpi_pico_w")) == image


def test_a_partition_table_that_is_damaged_or_another_is_refused():
    image = bytearray(esp_image())
    image[0x7000 + 40] ^= 1
    with pytest.raises(Problem) as error:
        esp_table.read_table(bytes(image), 0x1000)
    assert "damaged" in error.value.what
    wired = board("esp32_poe")
    wired["flash"] = {**wired["flash"], "regions": (("files", 0x300000, 4096), ("journal", 0, 1))}
    with pytest.raises(Problem) as error:
        esp_table.with_regions(esp_image(), 0x1000, wired)
    assert "no files at 0x300000" in error.value.what
    wired["flash"]["regions"] = (("files", 0x200000, 4096), ("journal", 0x10000, 4096))
    with pytest.raises(Problem) as error:
        esp_table.with_regions(esp_image(), 0x1000, wired)
    assert "factory lies where" in error.value.what


# --- ESP32


def test_eight_boards_at_once(images, mocks):
    ports = [mocks().port for _ in range(8)]
    shares: dict[str, list[float]] = {port: [] for port in ports}
    results = flash(
        _jobs(images, "esp32_generic", ports),
        images,
        lambda job, share, words: shares[job.port].append(share),
        before="no-reset",
    )
    assert [(r.port, r.code) for r in results] == [(port, OK) for port in ports], results
    assert all(told[-1] == 1.0 and len(told) > 5 for told in shares.values())


def _on_chip(port, at, data=None):
    """Write to the mock's flash as somebody else would; return 16 bytes from there."""
    from esptool import cmds

    with cmds.detect_chip(port, connect_mode="no-reset") as esp:
        cmds.attach_flash(esp)
        if data:
            cmds.write_flash(esp, [(at, data)])
        return bytes(cmds.read_flash(esp, at, 16) or b"")


def test_files_are_kept_unless_their_region_changes(images, mocks):
    mock = mocks()
    jobs = _jobs(images, "esp32_generic", [mock.port])
    assert flash(jobs, images, before="no-reset")[0].code == OK
    files = b"littlefs and more"[:16] * 512
    assert _on_chip(mock.port, 0x200000, files) == files[:16]
    assert flash(jobs, images, before="no-reset")[0].code == OK
    assert _on_chip(mock.port, 0x200000) == files[:16], "the same table: they stay"
    _on_chip(mock.port, 0x8000, esp_image()[0x7000:0x7C00])  # MicroPython's own table
    assert flash(jobs, images, before="no-reset")[0].code == OK
    assert _on_chip(mock.port, 0x200000) == b"\xff" * 16, "they would not mount any more"


def test_another_chip_is_refused_at_once(images, mocks):
    mock = mocks("esp32s3")
    (result,) = flash(_jobs(images, "esp32_generic", [mock.port]), images, before="no-reset")
    assert result.code == INPUT and "is an esp32s3" in result.what


def test_a_board_that_is_not_there_is_said_and_the_other_is_done(images, mocks):
    mock = mocks()
    jobs = _jobs(images, "esp32_generic", ["socket://127.0.0.1:9", mock.port])
    silent, good = flash(jobs, images, before="no-reset")
    assert silent.code == DEVICE and "does not answer" in silent.what and "BOOT" in silent.remedy
    assert good.code == OK


def test_a_board_unplugged_halfway_is_repaired_by_the_next_run(images, mocks):
    mock = mocks()

    def pull(job, share, words):
        if share > 0.3:
            mock.unplug()

    jobs = _jobs(images, "esp32_generic", [mock.port])
    (result,) = flash(jobs, images, pull, before="no-reset")
    assert result.code == DEVICE and result.remedy
    mock.plug_in()
    (result,) = flash(jobs, images, before="no-reset")
    assert result.code == OK


# --- Pico


class Drive:
    """The drive of a waiting Pico: it takes a whole UF2 and leaves."""

    def __init__(self, folder: Path, board_id: str, size: int, leaves_at: float = 1.0) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "INFO_UF2.TXT").write_text(f"UF2 Bootloader v3.0\nBoard-ID: {board_id}\n")
        self._size = size
        self._leaves_at = leaves_at
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        target = self.folder / "firmware.uf2"
        while not self._ends.wait(0.002):
            if target.exists() and target.stat().st_size >= self._size * self._leaves_at:
                shutil.rmtree(self.folder)
                return

    def close(self) -> None:
        self._ends.set()
        self._thread.join()


@pytest.fixture
def drives(tmp_path):
    made: list[Drive] = []

    def make(board_id, size, leaves_at=1.0):
        made.append(Drive(tmp_path / f"drive{len(made)}", board_id, size, leaves_at))
        return made[-1]

    yield make
    for drive in made:
        drive.close()


def test_a_pico_takes_its_image_and_leaves(images, drives):
    image = images.find("rpi_pico_w")
    drive = drives("RPI-RP2", image.size)
    (result,) = flash([Job(str(drive.folder), "rpi_pico_w", image)], images)
    assert result.code == OK, result


def test_a_pico_of_another_chip_is_refused_before_a_byte(images, drives):
    image = images.find("rpi_pico_w")
    drive = drives("RP2350", 10**9)
    (result,) = flash([Job(str(drive.folder), "rpi_pico_w", image)], images)
    assert result.code == INPUT and "is RP2350" in result.what
    assert not (drive.folder / "firmware.uf2").exists()


def test_a_drive_that_stays_is_said(images, drives):
    image = images.find("rpi_pico_w")
    drive = drives("RPI-RP2", 10**9)
    with pytest.raises(Problem) as error:
        uf2.install(uf2.volumes([drive.folder])[0], images.content(image), wait_s=0.1)
    assert "has not taken" in error.value.what


def test_a_drive_that_vanishes_halfway_is_said(images, tmp_path):
    folder = tmp_path / "drive"
    folder.mkdir()
    (folder / "INFO_UF2.TXT").write_text("Board-ID: RPI-RP2\n")
    (volume,) = uf2.volumes([folder])

    def pull(share):
        shutil.rmtree(folder, ignore_errors=True)
        raise OSError(5, "Input/output error")

    with pytest.raises(Problem) as error:
        uf2.install(volume, images.content(images.find("rpi_pico_w")), pull)
    assert "vanished" in error.value.what and error.value.code == DEVICE


class Transport:
    """A board that runs MicroPython; `on_bootloader` is what its drive does."""

    def __init__(self, on_bootloader=None):
        self._on_bootloader = on_bootloader
        self.closed = False

    def enter_raw_repl(self, soft_reset):
        if not self._on_bootloader:
            raise OSError("could not enter raw repl")

    def exec_raw_no_follow(self, text):
        assert "machine.bootloader()" in text
        self._on_bootloader()

    def close(self):
        self.closed = True


def test_a_running_pico_is_asked_for_its_bootloader(tmp_path):
    seen: list[uf2.Volume] = []
    drive = uf2.Volume(tmp_path, "RPI-RP2")
    transport = Transport(lambda: seen.append(drive))
    found = bootloader.enter(
        "/dev/ttyACM0", open_transport=lambda port: transport, find=lambda: list(seen)
    )
    assert found == drive and transport.closed


def test_a_board_that_cannot_be_interrupted_or_shows_no_drive_is_said():
    with pytest.raises(Problem) as error:
        bootloader.enter("x", open_transport=lambda port: Transport(), find=list)
    assert "BOOTSEL" in error.value.remedy
    with pytest.raises(Problem) as error:
        bootloader.enter(
            "x", open_transport=lambda port: Transport(lambda: None), find=list, wait_s=0
        )
    assert "no drive has appeared" in error.value.what


# --- the commands


def _eclor(home, *words):
    return eclor(*words, ECLOR_HOME=str(home))


def test_images_and_flash_from_the_command_line(tmp_path, drives):
    data = uf2_image()
    file = tmp_path / "RPI_PICO_W-20260401-v1.28.0.uf2"
    file.write_bytes(data)
    home = tmp_path / "home"
    assert _eclor(home, "flash", "rpi_pico_w").returncode == INPUT
    done = _eclor(home, "images", "add", str(file))
    assert done.returncode == OK and "rpi_pico_w" in done.stdout
    (told,) = map(json.loads, _eclor(home, "images", "list", "--json").stdout.splitlines())
    assert told["whole"] and told["boards"] == ["rpi_pico_w"]
    first, second = drives("RPI-RP2", len(data)), drives("RPI-RP2", len(data))
    ports = ["--port", str(first.folder), "--port", str(second.folder)]
    done = _eclor(home, "flash", "rpi_pico_w", *ports, "--json")
    assert done.returncode == OK, done.stderr
    assert [json.loads(line)["code"] for line in done.stdout.splitlines()] == [0, 0]
    done = _eclor(home, "flash", "rpi_pico_w", "--port", str(tmp_path))
    assert done.returncode == DEVICE and "no drive" in done.stdout
    done = _eclor(home, "flash", "host")
    assert done.returncode == INPUT and "no board host to flash" in done.stderr
    assert _eclor(home, "images", "remove", "RPI_PICO").returncode == INPUT
    assert _eclor(home, "images", "remove", file.stem).returncode == OK
    assert _eclor(home, "flash").returncode == USAGE
