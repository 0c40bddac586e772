"""MicroPython images kept on this computer for places without a network: what each is, unchanged.

    images = Images()
    image = images.add(Path("ESP32_GENERIC-20260410-v1.28.0.bin"))
    images.find("esp32_generic")          # the newest that fits the board
    images.content(image)                 # its bytes; a Problem when they are not what was added

Where: $ECLOR_HOME/images, or this user's data folder. Not here: downloading; flashing (flash.py).
"""

import hashlib
import json
import struct
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from host_tools import home
from host_tools.flashing import uf2
from host_tools.flashing.esp_table import read_table
from host_tools.planning.site_rules import board, board_names
from host_tools.problems import INPUT, Problem

ESP = "esp"
UF2 = "uf2"
# Image header of an ESP32 family chip (ESP-IDF, bootloader_support, esp_image_format.h)
_ESP_MAGIC = 0xE9
_ESP_CHIPS = {0: "esp32", 9: "esp32s3"}
_ESP_START = {"esp32": 0x1000, "esp32s3": 0x0}  # where its ROM looks for the bootloader


@dataclass(frozen=True)
class Image:
    """One image in the cache."""

    name: str  # as MicroPython names it: ESP32_GENERIC-20260410-v1.28.0
    file: str
    kind: str  # ESP or UF2
    chip: str
    start: int  # where in the flash it begins
    size: int
    sha256: str
    boards: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for --json."""
        return asdict(self)


def inspect(path: Path, only: str = "") -> Image:
    """Say what an image file is. only: a board of boards/, where its name does not say which.

    A Problem when it is no whole image for a board we know.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Problem(f"{path}: {error.strerror}", "give an image file", code=INPUT) from None
    try:
        if data[:4] == uf2.MAGIC:
            kind, chip, start = UF2, uf2.chip_of(data), 0
        else:
            kind, (chip, start) = ESP, _esp_chip(data)
    except Problem as problem:
        problem.where = str(path)
        raise
    named = [name for name in board_names() if _is_named(path.stem, board(name)["image"])]
    fitting = [name for name in ([only] if only else named) if board(name)["chip"] == chip]
    if not fitting:
        said = only or ", ".join(named) or "no board of ours"
        raise Problem(
            f"{path.name} is for the chip {chip}, and is named for {said}",
            "keep MicroPython's file name, or say which board by --board",
            code=INPUT,
        )
    digest = hashlib.sha256(data).hexdigest()
    return Image(
        path.stem, path.name, kind, chip, start, len(data), digest, tuple(sorted(fitting))
    )


def _is_named(stem: str, image: str) -> bool:
    return bool(image) and (stem == image or stem.startswith(image + "-"))


def _esp_chip(data: bytes) -> tuple[str, int]:
    """Return (chip, start) of an ESP32 image that holds bootloader, partitions and firmware."""
    if len(data) > 16 and data[0] == _ESP_MAGIC:
        (number,) = struct.unpack_from("<H", data, 12)
        chip = _ESP_CHIPS.get(number, "")
        if chip:
            start = _ESP_START[chip]
            read_table(data, start)
            return chip, start
    raise Problem(
        "this is no image of MicroPython for a chip we know",
        "give the .bin (ESP32) or .uf2 (Pico) of MicroPython's download page",
        code=INPUT,
    )


class Images:
    """The cache."""

    def __init__(self, where: Path | None = None) -> None:
        """where: the folder; None: this user's."""
        self._folder = where or home.folder() / "images"

    def add(self, path: Path, only: str = "") -> Image:
        """Take a copy of a file into the cache; the same name again replaces it."""
        image = inspect(path, only)
        self._folder.mkdir(parents=True, exist_ok=True)
        target = self._folder / image.file
        fresh = target.with_suffix(target.suffix + ".new")
        fresh.write_bytes(path.read_bytes())
        fresh.replace(target)
        index = {each.file: each for each in self.known()} | {image.file: image}
        self._write(list(index.values()))
        return image

    def remove(self, name: str) -> Image:
        """Forget an image; a Problem when there is none of that name."""
        for image in self.known():
            if name in (image.name, image.file):
                (self._folder / image.file).unlink(missing_ok=True)
                self._write([each for each in self.known() if each.file != image.file])
                return image
        raise Problem(f"there is no image {name}", "eclor images list shows them", code=INPUT)

    def known(self) -> list[Image]:
        """Return what is in the cache, by name."""
        try:
            rows = json.loads((self._folder / "index.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []
        except ValueError:
            raise Problem(
                f"{self._folder / 'index.json'} is damaged",
                "remove it, and add the images again",
                code=INPUT,
            ) from None
        return [Image(**{**row, "boards": tuple(row["boards"])}) for row in rows]

    def find(self, name: str) -> Image:
        """Return the newest image for a board: MicroPython's names end with date and version."""
        fitting = [image for image in self.known() if name in image.boards]
        if not fitting:
            wanted = board(name)["image"]
            raise Problem(
                f"no image for {name} is on this computer",
                f"eclor images add {wanted}-....{'uf2' if wanted.startswith('RPI') else 'bin'}",
                code=INPUT,
            )
        return max(fitting, key=lambda image: image.name)

    def content(self, image: Image) -> bytes:
        """Return the bytes of an image; a Problem when they are not those that were added."""
        try:
            data = (self._folder / image.file).read_bytes()
        except OSError:
            data = b""
        if hashlib.sha256(data).hexdigest() != image.sha256:
            raise Problem(
                f"{image.name} is not what was added", "eclor images add it again", code=INPUT
            )
        return data

    def is_whole(self, image: Image) -> bool:
        """Whether the bytes are those that were added."""
        try:
            self.content(image)
        except Problem:
            return False
        return True

    def _write(self, images: list[Image]) -> None:
        rows = [image.as_dict() for image in sorted(images, key=lambda image: image.name)]
        fresh = self._folder / "index.json.new"
        fresh.write_text(json.dumps(rows, indent=1), encoding="utf-8")
        fresh.replace(self._folder / "index.json")
