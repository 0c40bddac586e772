"""The firmware comes onto a bare board, and no cut of power or cable leaves one that is lost."""

import json
import os
import time
import tty
from hashlib import sha256
from pathlib import Path

import pytest

from host_tools.cable.deploy import deploy
from host_tools.cable.prompt import Prompt
from host_tools.packing import bundle, image
from host_tools.problems import DEVICE, INPUT, OK, USAGE, Problem
from host_tools.sim.bare_board import BareBoard
from tests.typed import eclor

ROOT = Path(__file__).resolve().parent.parent.parent
# Stands in for the firmware: what deploy moves is a bundle like any other, but small.
MAIN = b"""
def start(board, slot, state):
    import time
    print("FIRMWARE", slot)
    while True:
        time.sleep(0.02)
        if open("/flash/hang").read() != "yes":
            board.feed()
"""


def _bundle(counter: int, **more: bytes) -> bytes:
    files = {f"agent/m{i}.bin": bytes([i]) * 2000 for i in range(10)}
    files |= {"firmware/__init__.py": b"", "firmware/main.py": MAIN}
    return bundle.pack(files | {f"{k}.bin": v for k, v in more.items()}, "1.0", counter, ["host"])


SMALL = _bundle(1)
NEXT = _bundle(2, extra=os.urandom(3000))


@pytest.fixture
def boards(tmp_path):
    made: list[BareBoard] = []

    def make(**options):
        made.append(BareBoard(tmp_path / f"board{len(made)}", **options))
        return made[-1].__enter__()

    yield make
    for board in made:
        board.__exit__(None, None, None)


def _one(board, data):
    (result,) = deploy([board.port], data)
    return result


def _running(board):
    """Return the slot that /slot names, after a look that it is whole; "" for a bare board."""
    with image.mounted(board.image) as flash:
        names = flash.listdir("/")
        if "main.py" not in names:
            return ""
        with flash.open("/slot", "rb") as file:
            state = bundle.read_slot_state(file.read())
        assert state and state[1] == "-", state
        with flash.open("/" + state[0], "rb") as file:
            bundle.read(file.read())  # a Problem unless it is whole
        assert "boot.mpy" in names and "boot.py" not in names
        return state[0]


def _await(board, words, wait_s=20.0):
    until_s = time.monotonic() + wait_s
    while words not in bytes(board.said):
        assert time.monotonic() < until_s, bytes(board.said)
        time.sleep(0.02)


def test_a_bare_board_gets_the_firmware_and_then_only_what_differs(boards):
    board = boards()
    first = _one(board, SMALL)
    assert first.code == OK and first.slot == "a" and first.sent_bytes == len(SMALL)
    assert first.changed == ["a", "boot.mpy", "slot", "main.py"]
    again = _one(board, SMALL)
    assert again.code == OK and again.changed == [] and again.sent_bytes == 0
    newer = _one(board, NEXT)
    assert newer.slot == "b" and newer.changed == ["b", "slot"]
    assert 3000 < newer.sent_bytes < 8000, "the files of before were copied on the board"
    assert _running(board) == "b"
    assert image.read(board.image, "/b") == NEXT and image.read(board.image, "/a") == SMALL


def test_a_slot_whose_listing_lies_is_not_used(boards):
    board = boards()
    _one(board, SMALL)
    with Prompt(board.port) as prompt:
        prompt.enter_maintenance()
        damaged = SMALL[:-100] + bytes(100)
        prompt.put("a", damaged)
    result = _one(board, NEXT)
    assert result.code == OK and result.sent_bytes == len(NEXT)
    assert image.read(board.image, "/b") == NEXT


def test_a_gateway_whose_watchdog_runs_is_updated_and_starts_again(boards):
    board = boards(watchdog_s=5.0)
    _one(board, SMALL)
    with Prompt(board.port) as prompt:
        prompt.put("hang", b"no")
        prompt.put("settings", b"a")
        prompt.reset()
    _await(board, b"FIRMWARE a")
    starts = board.starts
    result = _one(board, NEXT)
    assert result.code == OK and result.is_provisioned
    _await(board, b"FIRMWARE b")
    assert board.starts == starts + 2, "into maintenance, and out of it"
    assert board.bites == 0, "it was in maintenance"


def test_eight_boards_at_once(boards):
    made = [boards() for _ in range(8)]
    told: dict[str, list[float]] = {board.port: [] for board in made}
    results = deploy(
        [board.port for board in made], SMALL, lambda port, share, words: told[port].append(share)
    )
    assert [result.code for result in results] == [OK] * 8, results
    assert all(_running(board) == "a" for board in made)
    assert all(shares[-1] == 1.0 and len(shares) > 5 for shares in told.values())


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.7, 0.8, 0.86, 0.9, 0.94, 0.97, 0.995])
def test_power_cut_at_any_byte_is_mended_by_the_next_run(boards, share):
    whole, board = boards(), boards()
    whole.cut_after_bytes = 10**9
    assert _one(whole, SMALL).code == OK
    sent = 10**9 - whole.cut_after_bytes
    board.cut_after_bytes = int(sent * share)
    result = _one(board, SMALL)
    assert result.code == DEVICE and result.what and result.remedy and not board.running
    assert _running(board) in ("", "a"), "bare, or complete"
    board.plug_in()
    assert _one(board, SMALL).code == OK and _running(board) == "a"


def _gateway(make, cut_after_writes):
    board = make()
    _one(board, SMALL)
    with Prompt(board.port) as prompt:
        prompt.put("hang", b"no")
    board.power_cut()
    board.cut_after_writes = cut_after_writes
    board.power_on()
    return board


def test_power_cut_within_a_write_of_the_flash_leaves_a_working_gateway(boards):
    whole = _gateway(boards, 10**9)
    assert _one(whole, NEXT).code == OK
    cuts = 0
    for before_end in (whole.writes - 1, 20, 8, 4, 2):
        board = _gateway(boards, whole.writes - before_end)
        result = _one(board, NEXT)
        cuts += result.code == DEVICE
        assert result.code == DEVICE or board.running, "littlefs may have needed fewer"
        running = _running(board)  # whole, the old one or the new one
        if not board.running:
            board.plug_in()
            _await(board, b"FIRMWARE " + running.encode())
        assert _one(board, NEXT).code == OK and _running(board) == "b"
        board.unplug()
    assert cuts >= 3


def test_what_repairs_over_the_network_is_put_there_when_it_is_wanted(boards):
    board = boards()
    (result,) = deploy([board.port], SMALL)
    assert result.code == OK and "/repair" not in image.listing(board.image)
    for changed in (["repair"], []):
        (result,) = deploy([board.port], SMALL, repairs=True)
        assert result.code == OK and result.changed == changed
    held = bundle.read(image.read(board.image, "/repair"))
    assert "firmware/repair.mpy" in {row.path for row in held.rows} and held.boards == ("host",)


def test_unplugged_halfway_is_said_and_mended(boards):
    board = boards()

    def pull(port, share, words):
        if share > 0.4 and board.running:
            board.unplug()

    (result,) = deploy([board.port], SMALL, pull)
    assert result.code == DEVICE and "has gone" in result.what and "again" in result.remedy
    assert _one(board, SMALL).code == DEVICE, "not there at all"
    board.plug_in()
    assert _one(board, SMALL).code == OK


def test_a_board_that_falls_silent_is_said(boards, monkeypatch):
    board = boards()
    board.keeps_port = True
    board.cut_after_bytes = 5_000
    monkeypatch.setattr("host_tools.cable.raw_port.ANSWER_S", 0.5)
    result = _one(board, SMALL)
    assert result.code == DEVICE and result.remedy
    board.power_on()
    monkeypatch.undo()
    assert _one(board, SMALL).code == OK


def test_a_port_without_micropython_is_said(tmp_path):
    master, slave = os.openpty()
    tty.setraw(slave)
    link = tmp_path / "port"
    link.symlink_to(os.ttyname(slave))
    with pytest.raises(Problem) as error, Prompt(str(link), wait_s=0.5):
        pass
    os.close(master)
    os.close(slave)
    assert "says nothing" in error.value.what and error.value.code == DEVICE


def test_another_board_is_refused_before_anything_is_written(boards):
    board = boards()
    data = bundle.pack({"a.bin": b"1"}, "1", 1, ["esp32_poe", "rpi_pico_w"])
    result = _one(board, data)
    assert result.code == INPUT and "is for esp32_poe, rpi_pico_w" in result.what
    assert _running(board) == ""


def test_somebody_elses_boot_py_is_kept_under_another_name(boards):
    board = boards()
    with Prompt(board.port) as prompt:
        prompt.put("boot.py", b"import something_of_mine\n")
    assert _one(board, SMALL).code == OK
    assert image.read(board.image, "/boot_before.py") == b"import something_of_mine\n"


def test_from_the_command_line(tmp_path):
    folder = tmp_path / "bare"
    file = tmp_path / "firmware.ecl"
    file.write_bytes(SMALL)
    port = eclor("mock", "--board", str(folder)).stdout.strip()
    try:
        assert eclor("mock", "--board", str(folder)).returncode == INPUT, "it runs on"
        done = eclor("deploy", str(file), "--port", port, "--json")
        told = json.loads(done.stdout)
        assert done.returncode == OK and told["slot"] == "a" and not done.stderr
        done = eclor("--lang", "fr", "deploy", str(file), "--port", port)
        assert done.returncode == OK and "1.0" in done.stdout and "déjà" in done.stdout
        assert eclor("deploy").returncode == USAGE
        assert eclor("deploy", str(file), "--port", port, "--port", port).returncode == USAGE
        assert eclor("deploy", str(folder / "link.json"), "--port", port).returncode == INPUT
    finally:
        assert eclor("mock", "--board", str(folder), "--stop").returncode == OK
    assert eclor("deploy", str(file), "--port", port).returncode == DEVICE
    assert sha256(image.read(folder / "flash.img", "/a")).digest() == sha256(SMALL).digest()
