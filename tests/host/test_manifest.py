"""The manifest and the boards of an image of one's own have the form that upstream's build wants.

Checked here: the language, that every file exists and every device file of a port is frozen in.
Not here: a build, which needs upstream's tree, its submodules and its tool chains.
"""

import ast
import importlib
import re
from pathlib import Path

import pytest

from host_tools.image import AT_A_DESK, PACKAGES, ROOT, sources

MANIFEST = ROOT / "firmware" / "manifest.py"
IMAGES = sorted((ROOT / "firmware" / "images").glob("ECLOR_*"))
_UPSTREAM = {"include", "package", "module", "require"}


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
        self.required = []
        self.upstream = []

    def run(self, path, **given):
        folder = path.parent

        def include(target, **options):
            if target.startswith("$("):
                self.upstream.append(target)
                return
            self.run((folder / target).resolve(), **options)

        def add(file):
            assert file.is_file(), f"{path}: {file} is not there"
            self.files.add(file.resolve())

        def package(name, files=None, base_path=".", opt=None):
            base = (folder / base_path / name).resolve()
            for file in [base / f for f in files] if files else sorted(base.rglob("*.py")):
                add(file)

        def module(name, base_path=".", opt=None):
            add(folder / base_path / name)

        names: dict[str, object] = {"include": include, "package": package, "module": module}
        names |= {"require": self.required.append, "options": _Options(given)}
        exec(compile(path.read_text(), str(path), "exec"), names)


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
    }
    wanted |= {"firmware/boot.py", "firmware/chip_main.py", "firmware/images/main.py"}
    assert names == wanted


@pytest.mark.parametrize("image", IMAGES, ids=lambda path: path.name)
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
    assert {path.name for path in IMAGES} == {"ECLOR_" + name for name in images}


def test_manifests_say_nothing_that_upstream_does_not_know():
    for path in [MANIFEST, *(image / "manifest.py" for image in IMAGES)]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id in _UPSTREAM, (path, node.lineno)
