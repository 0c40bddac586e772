"""The manifest and the boards of an image of one's own have the form that upstream's build wants.

Checked here: the language, that every file exists and every device file of a port is frozen in.
Not here: a build, which needs upstream's tree, its submodules and its tool chains.
"""

import ast
import importlib
import re
from pathlib import Path

import pytest

from host_tools.packing.image import AT_A_DESK, INPUTS, PACKAGES, ROOT, imports, paths_for, sources

MANIFEST = ROOT / "firmware" / "manifest.py"
IMAGES = sorted((ROOT / "firmware" / "images").glob("ECLOR_*"))
EMULATED = ROOT / "firmware" / "images" / "ECLOR_UNIX_32"  # this computer as a board
BOARDS = [image for image in IMAGES if image != EMULATED]
_UPSTREAM = {"include", "package", "module", "require"}
# What upstream freezes itself (ports/*/boards/manifest.py, micropython-lib's bundle-networking).
UPSTREAMS = {
    *(
        "_boot.py",
        "_boot_fat.py",
        "rp2.py",
        "inisetup.py",
        "flashbdev.py",
        "espnow.py",
        "machine.py",
    ),
    *(
        "dht.py",
        "ds18x20.py",
        "neopixel.py",
        "onewire.py",
        "apa106.py",
        "aioespnow.py",
        "ntptime.py",
    ),
    *("asyncio/__init__.py", "ssl.py", "uasyncio.py", "upysh.py", "mip/__init__.py", "webrepl.py"),
    *("requests/__init__.py", "urequests.py", "umqtt/simple.py", "umqtt/robust.py"),
}
# boot.py imports it where a slot's neighbour /repair holds it, which no image does.
_IN_REPAIR = {Path("firmware/repair.py")}
_OF_CHIPS = {"chip", "uart"}
_STARTS = ("firmware/chip_main.py", "firmware/images/main.py")
_STARTS_HERE = ("firmware/host_start.py",)


class _Options:
    def __init__(self, given):
        self._given = given

    def defaults(self, **values):
        for name, value in values.items():
            setattr(self, name, self._given.get(name, value))


class Manifest:
    """Runs manifests as upstream's tools/manifestfile.py does; knows what would be frozen."""

    def __init__(self):
        self.files = set()
        self.modules = {}  # name that it is imported by: file
        self.order = []  # "upstream", "ours": whose modules come
        self.required = []
        self.upstream = []

    def run(self, path, text="", **given):
        """Run a manifest; text: instead of its own."""
        folder = path.parent

        def include(target, **options):
            if target.startswith("$("):
                self.upstream.append(target)
                self.order.append("upstream")
                return
            self.run((folder / target).resolve(), **options)

        def add(file, base):
            assert file.is_file(), f"{path}: {file} is not there"
            file = file.resolve()
            name = file.relative_to(base.resolve()).as_posix()
            assert name not in self.modules, f"{path}: {name} is frozen twice"
            assert name not in UPSTREAMS, f"{path}: {name} is upstream's own"
            self.modules[name] = file
            self.files.add(file)
            self.order.append("ours")

        def package(name, files=None, base_path=".", opt=None):
            base = (folder / base_path).resolve()
            if files:
                assert len(set(files)) == len(files), f"{path}: {name} names a file twice"
            for file in [base / name / f for f in files or ()] or sorted(
                (base / name).rglob("*.py")
            ):
                add(file, base)

        def module(name, base_path=".", opt=None):
            add(folder / base_path / name, folder / base_path)

        names: dict[str, object] = {"include": include, "package": package, "module": module}
        names |= {"require": self.required.append, "options": _Options(given)}
        exec(compile(text or path.read_text(), str(path), "exec"), names)


def _frozen(image):
    made = Manifest()
    made.run(image / "manifest.py")
    return made


@pytest.mark.parametrize("image", IMAGES, ids=lambda path: path.name)
def test_an_image_freezes_all_of_the_gateway_that_its_port_runs(image):
    made = _frozen(image)
    names = {path.relative_to(ROOT).as_posix() for path in made.files}
    call = re.search(r'port="(\w+)", board="(\w+)"', (image / "manifest.py").read_text())
    assert call
    port, board = call.groups()
    if image != EMULATED:
        described = importlib.import_module(f"boards.{board}").BOARD
        assert described["port"] == port
        assert image.name == "ECLOR_" + described["image"]
    wanted = {
        path.as_posix()
        for path in sources() + [Path(name) for name in AT_A_DESK]
        if path.parts[0] in PACKAGES
        and path.name != "repair.py"  # for boards whose firmware is in slots alone
        and (path.parts[0] != "boards" or path.stem in ("__init__", board))
        and (path.parent.name != "hal" or path.stem not in {"host", "esp32", "rp2"} - {port})
        and (path.name not in INPUTS.values() or path.name == INPUTS.get(port))
        and (path.parent.name != "hal" or path.stem not in _OF_CHIPS or port != "host")
    }
    wanted |= {"firmware/boot.py", *(_STARTS_HERE if port == "host" else _STARTS)}
    assert names == wanted


@pytest.mark.parametrize("image", BOARDS, ids=lambda path: path.name)
def test_a_board_is_upstreams_own_under_another_name(image):
    made = _frozen(image)
    upstream = image.name.removeprefix("ECLOR_")
    assert made.upstream == ["$(PORT_DIR)/boards/manifest.py"]
    lines = (image / "mpconfigboard.cmake").read_text().splitlines()
    assert lines[1:] == [
        "include(${CMAKE_SOURCE_DIR}/boards/%s/mpconfigboard.cmake)" % upstream,
        "set(MICROPY_FROZEN_MANIFEST ${MICROPY_BOARD_DIR}/manifest.py)",
    ]
    header = (image / "mpconfigboard.h").read_text()
    assert f'#include "boards/{upstream}/mpconfigboard.h"' in header
    assert re.search(r'#undef MICROPY_HW_BOARD_NAME\n#define MICROPY_HW_BOARD_NAME ".+"', header)


def test_every_flashable_board_has_its_image():
    boards = [p.stem for p in (ROOT / "boards").glob("[!_]*.py")]
    images = {importlib.import_module(f"boards.{name}").BOARD["image"] for name in boards} - {""}
    assert {path.name for path in BOARDS} == {"ECLOR_" + name for name in images}


def test_the_emulated_board_of_32_bits_is_upstreams_unix_port_with_a_boards_memory():
    made = _frozen(EMULATED)
    assert made.upstream == ["$(PORT_DIR)/variants/standard/manifest.py"]
    rules = (EMULATED / "mpconfigvariant.mk").read_text()
    config = re.search(r'^MBEDTLS_CONFIG_FILE = \\"(.+)\\"$', rules, re.MULTILINE)
    assert config and "CFLAGS += -m32\nLDFLAGS += -m32\n" in rules
    assert "MICROPY_MBEDTLS_CONFIG_BARE_METAL (1)" in (EMULATED / config[1]).read_text()
    assert "MICROPY_TRACKED_ALLOC (1)" in (EMULATED / "mpconfigvariant.h").read_text()


def test_manifests_say_nothing_that_upstream_does_not_know():
    for path in [MANIFEST, *(image / "manifest.py" for image in IMAGES)]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id in _UPSTREAM, (path, node.lineno)


@pytest.mark.parametrize("image", IMAGES, ids=lambda path: path.name)
def test_all_that_a_bundle_of_its_board_holds_is_frozen_and_finds_what_it_imports(image):
    made = _frozen(image)
    there = {path.relative_to(ROOT) for path in made.files}
    call = re.search(r'board="(\w+)"', (image / "manifest.py").read_text())
    assert call
    assert set(paths_for([call[1]])) <= there
    for path in there:
        absent = imports(path) - there - _IN_REPAIR
        # A port's file is imported by a name that is put together; a desk's by nobody here.
        assert not absent, f"{path} imports {sorted(map(str, absent))}, which is not frozen in"


def _is_upstream_first(made):
    return made.order[0] == "upstream" and set(made.order[1:]) == {"ours"}


def test_this_computers_own_come_last():
    made = _frozen(EMULATED)
    assert _is_upstream_first(made) and list(made.modules)[-2:] == ["boot.py", "host_start.py"]


@pytest.mark.parametrize("image", BOARDS, ids=lambda path: path.name)
def test_upstreams_own_come_first_and_what_starts_the_gateway_last(image):
    made = _frozen(image)
    assert _is_upstream_first(made)
    assert list(made.modules)[-3:] == ["boot.py", "chip_main.py", "main.py"]
    main = made.modules["main.py"]
    assert main.parent.name == "images"
    assert imports(Path("firmware/chip_main.py")) == set()  # but boot, which is beside it
    tree = ast.parse(main.read_text() + made.modules["chip_main.py"].read_text())
    named = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    assert named == {"chip_main", "boot"} and {f"{name}.py" for name in named} <= set(made.modules)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('module("boot.py")', "boot.py is frozen twice"),
        ('package("agent", base_path="..")', "agent/__init__.py is frozen twice"),
        ('package("boards", files=("host.py", "host.py"), base_path="..")', "names a file twice"),
        ('module("nowhere.py")', "nowhere.py is not there"),
    ],
)
def test_what_is_frozen_twice_or_absent_is_found(line, said):
    with pytest.raises(AssertionError, match=said):
        Manifest().run(MANIFEST, MANIFEST.read_text() + line)


def test_a_module_that_is_left_out_is_missed(monkeypatch):
    image = IMAGES[0]
    frozen = _frozen(image)
    for left_out in ("firmware/build.py", "agent/uplink.py"):
        there = {path.relative_to(ROOT) for path in frozen.files} - {Path(left_out)}
        assert any(Path(left_out) in imports(path) for path in there), left_out
