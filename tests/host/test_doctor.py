"""What is on the cables is told by VID and PID; what this computer lacks is told with its cure."""

import json
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from host_tools import doctor
from host_tools.cable import ports
from host_tools.planning.site_rules import board_names
from host_tools.problems import DEVICE, USAGE, Problem
from tests.messages import ROOT


def _port(device, vid=None, pid=None, description="", hwid="", serial="1"):
    return SimpleNamespace(
        device=device, vid=vid, pid=pid, description=description, hwid=hwid, serial_number=serial
    )


PICO = _port("/dev/ttyACM0", 0x2E8A, 0x0005)
BRIDGE = _port("/dev/ttyUSB0", 0x1A86, 0x7523)
WAITING = _port("/dev/ttyACM9", 0x2E8A, 0x0003)
OTHERS = [
    _port("/dev/ttyS0"),
    _port("/dev/rfcomm0", description="Bluetooth"),
    _port("/dev/cu.Bluetooth-Incoming-Port"),
    _port("COM7", 0x10C4, 0xEA60, hwid="BTHENUM\\{0000}"),
    _port("/dev/ttyACM3", 0x1D6B, 0x0104, description="a modem"),
]


def test_boards_and_adapters_are_found_and_nothing_else():
    found = ports.devices([*OTHERS, BRIDGE, PICO])
    assert [(d.port, d.kind) for d in found] == [
        ("/dev/ttyACM0", ports.BOARD),
        ("/dev/ttyUSB0", ports.BRIDGE),
    ]
    assert "rpi_pico_w" in found[0].boards and found[0].usb == "2e8a:0005"
    assert ports.devices(OTHERS) == []


def test_every_board_of_the_table_exists():
    named = {board for _, _, boards in ports.KNOWN.values() for board in boards}
    assert named <= set(board_names())


def test_the_only_one_is_chosen_and_several_are_not():
    assert ports.choose(ports=[PICO, *OTHERS, WAITING]).port == "/dev/ttyACM0"
    assert ports.choose("/dev/ttyUSB0", [PICO, BRIDGE]).kind == ports.BRIDGE
    assert ports.choose("rfc2217://converter", [PICO]).port == "rfc2217://converter"
    with pytest.raises(Problem) as error:
        ports.choose(ports=[PICO, BRIDGE])
    assert error.value.code == USAGE and "ttyUSB0" in error.value.what
    with pytest.raises(Problem) as error:
        ports.choose(ports=[WAITING, *OTHERS])
    assert error.value.code == DEVICE


class Well(doctor.Computer):
    """A computer where all is well."""

    def has_package(self, name):
        return True

    def devices(self):
        return ports.devices([BRIDGE])

    def may_open(self, port):
        return True

    def group_of(self, port):
        return "dialout"

    def rules(self):
        return iter([("/x/90-brltty.rules", '# ENV{PRODUCT}=="1a86/7523/*"\n')])

    def now_s(self):
        return 1.8e9

    def free_bytes(self):
        return 10**9


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("ECLOR_HOME", str(tmp_path))


def _wrong(**changes):
    computer = Well()
    for name, value in changes.items():
        setattr(computer, name, value)
    return [step for step in doctor.examine(computer) if step.state != doctor.GOOD]


def test_all_is_well():
    assert _wrong() == []


@pytest.mark.parametrize(
    ("changes", "name", "what", "remedy"),
    [
        ({"python": (3, 10, 2)}, "python", "3.10.2 is too old", "3.11"),
        ({"may_open": lambda p: False}, "ports", "may not open", "usermod -aG dialout"),
        (
            {"may_open": lambda p: False, "group_of": lambda p: ""},
            "ports",
            "may not open",
            "close Thonny",
        ),
        ({"devices": list}, "ports", "no board and no adapter", "another cable"),
        (
            {"rules": lambda: iter([("/x", 'ENV{PRODUCT}=="1a86/7523/*"')])},
            "brltty",
            "1A86/7523",
            "apt remove brltty",
        ),
        ({"now_s": lambda: 1000.0}, "clock", "1970-01-01", "clock"),
        ({"free_bytes": lambda: 1 << 20}, "room", "1 MB", "room"),
    ],
)
def test_each_ill_is_found_with_its_cure(changes, name, what, remedy):
    (step,) = _wrong(**changes)
    assert step.name == name and what in step.what and remedy in step.remedy


def test_what_is_not_installed_is_said_and_esptool_is_only_a_note():
    steps = _wrong(has_package=lambda name: name not in ("serial", "esptool"))
    assert [(s.name, s.state) for s in steps] == [
        ("pyserial", doctor.WRONG),
        ("esptool", doctor.NOTE),
    ]


def test_an_image_that_has_rotted_is_found(tmp_path):
    from host_tools.flashing.images import Images
    from tests.host.test_flash import uf2_image

    file = tmp_path / "RPI_PICO_W-1.uf2"
    file.write_bytes(uf2_image())
    image = Images().add(file)
    assert _wrong() == []
    (tmp_path / "images" / image.file).write_bytes(b"")
    (step,) = _wrong()
    assert step.name == "images" and "add it again" in step.remedy


def test_a_bundle_is_whole_and_signed_by_somebody_known(tmp_path):
    from host_tools.packing import bundle, release

    phrase = "a long passphrase"
    keys = [release.make_key(tmp_path / f"{name}.pem", phrase) for name in ("ours", "theirs")]
    plain = bundle.pack({"a.mpy": b"1"}, "0.2.0", 7, ["rpi_pico_w"])
    signed = release.sign(plain, release.read_key(tmp_path / "ours.pem", phrase))
    files = [tmp_path / f"{name}.ecl" for name in ("plain", "signed", "broken", "gone")]
    for file, data in zip(files, (plain, signed, signed[:-1]), strict=False):
        file.write_bytes(data)

    def seen(*public):
        return [(step.state, step.what) for step in doctor.bundles(files, public)]

    first, second, third, fourth = seen(*keys)
    assert first[0] == doctor.NOTE and "0.2.0 for rpi_pico_w, not signed" in first[1]
    assert second[0] == doctor.GOOD and second[1].endswith("signed by ours.pub")
    assert third[0] == doctor.WRONG and "damaged" in third[1]
    assert fourth[0] == doctor.WRONG and "No such file" in fourth[1]
    stranger = seen(keys[1])[1]
    assert stranger[0] == doctor.WRONG and "signed by none of theirs.pub" in stranger[1]
    assert seen()[1][0] == doctor.NOTE


def test_a_clock_before_its_own_authority_and_one_behind_it(tmp_path):
    from host_tools.trust import ca

    ca.create(tmp_path / "ca", "Ville", "a long passphrase")
    now_s = time.time()
    assert _wrong(now_s=lambda: now_s) == []
    (step,) = _wrong(now_s=lambda: 1.75e9)
    assert step.name == "clock" and "before" in step.what
    (step,) = _wrong(now_s=lambda: now_s + 31 * 365 * 86400)
    assert step.name == "authority" and "run out" in step.what


def test_the_commands_answer_as_json(tmp_path):
    environment = {"PATH": os.environ["PATH"], "ECLOR_HOME": str(tmp_path)}
    for verb, codes in (("doctor", (0, 6)), ("devices", (0, DEVICE))):
        done = subprocess.run(
            [sys.executable, "-m", "host_tools", verb, "--json"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in codes, done.stderr
        for line in done.stdout.splitlines():
            assert isinstance(json.loads(line), dict)
