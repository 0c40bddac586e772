"""Put MicroPython on boards, many at once: ESP32 over its serial port, a Pico by its drive.

    results = flash([Job("/dev/ttyUSB0", "esp32_poe", image)], images, on_progress)

A board that is unplugged halfway is repaired by the next run: an ESP32's ROM and a Pico's do not
depend on what is in the flash. Not here: the firmware itself (`eclor deploy`).
"""

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from host_tools.flashing import uf2
from host_tools.flashing.esp_table import with_regions
from host_tools.flashing.images import ESP, Image, Images
from host_tools.language import say, translated
from host_tools.planning.site_rules import board as board_of
from host_tools.problems import DEVICE, INPUT, MISSING, OK, Problem

ATTEMPTS = 3
_BAUDS = (460_800, 230_400, 115_200)  # a long cable or a poor bridge: slower each time


@dataclass(frozen=True)
class Job:
    """One board to flash."""

    port: str  # a serial port, or the folder of a Pico's volume
    board: str
    image: Image


@dataclass(frozen=True)
class Result:
    """What became of it; code: as of problems.py."""

    port: str
    board: str
    image: str
    code: int
    what: str = ""
    remedy: str = ""
    attempts: int = 1


def flash(
    jobs: Sequence[Job],
    images: Images,
    on_progress: Callable[[Job, float, str], None] = lambda job, share, words: None,
    *,
    before: str = "default-reset",
) -> list[Result]:
    """Flash all of them side by side; return a result each, in their order.

    on_progress: gets job, 0 .. 1, and what is being done; it is called from several threads.
    """
    if not jobs:
        return []
    lock = threading.Lock()

    def tell(job: Job, share: float, words: str) -> None:
        with lock:
            on_progress(job, share, words)

    def run(job: Job) -> Result:
        try:
            attempts = _flash_one(job, images, tell, before)
        except Problem as problem:
            tell(job, 0.0, say("failed"))
            return Result(
                job.port, job.board, job.image.name, problem.code, problem.what, problem.remedy
            )
        tell(job, 1.0, say("done"))
        return Result(job.port, job.board, job.image.name, OK, attempts=attempts)

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


def _flash_one(
    job: Job, images: Images, tell: Callable[[Job, float, str], None], before: str
) -> int:
    if job.board not in job.image.boards:
        raise Problem(
            f"{job.image.name} is for {', '.join(job.image.boards)}, not for {job.board}",
            "choose the image of this board",
            code=INPUT,
        )
    data = images.content(job.image)
    if job.image.kind != ESP:
        found = uf2.volumes([Path(job.port)])
        if not found:
            raise Problem(
                f"{job.port} is no drive of a waiting Pico",
                "hold BOOTSEL while you plug it in",
                code=DEVICE,
            )
        uf2.install(found[0], data, lambda share: tell(job, share, say("copying")))
        return 1
    data = with_regions(data, job.image.start, board_of(job.board))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "image.bin"
        file.write_bytes(data)
        for attempt in range(ATTEMPTS):
            cause, what = _run_worker(job, file, _BAUDS[attempt], before, tell)
            if not cause:
                return attempt + 1
            if cause in ("chip", "missing"):
                break
            tell(job, 0.0, say("once more"))
    raise _problem(job, cause, what)


def _run_worker(
    job: Job, file: Path, baud: int, before: str, tell: Callable[[Job, float, str], None]
) -> tuple[str, str]:
    """Return ("", "") or the cause of the failure and its words."""
    command = [sys.executable, "-m", "host_tools.flashing.esp_worker", job.port, job.image.chip]
    regions = {name: start for name, start, _ in board_of(job.board)["flash"]["regions"]}
    command += [hex(job.image.start), str(file), "--baud", str(baud), "--before", before]
    command += ["--files", hex(regions["files"])]
    worker = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    end: dict[str, object] = {}
    assert worker.stdout is not None and worker.stderr is not None
    with worker:
        for line in worker.stdout:
            try:
                words = json.loads(line)
            except ValueError:
                continue  # esptool has a few prints of its own
            if "share" in words:
                tell(job, float(words["share"]) * 0.99, say("writing"))
            else:
                end = words
        errors = worker.stderr.read()
    if end.get("done"):
        return "", ""
    if "No module named 'esptool'" in errors:
        return "missing", ""
    last = errors.strip().splitlines()[-1:] or [""]
    return str(end.get("cause", "other")), str(end.get("what", last[0]))


def _problem(job: Job, cause: str, what: str) -> Problem:
    if cause == "chip":
        return Problem(
            f"{job.port} is an {what}, and {job.board} has an {job.image.chip}",
            "choose the board that is plugged in: eclor devices, eclor boards",
            code=INPUT,
        )
    if cause == "silent":
        return Problem(
            f"{job.port} does not answer: {translated(what)}",
            "hold BOOT, press EN, let go of BOOT, and try again; is it the right port?",
            code=DEVICE,
        )
    if cause == "verify":
        return Problem(
            f"{job.port}: what was written is not what is read back",
            "a worn or false flash chip: take another board",
            code=DEVICE,
        )
    if cause == "missing":
        return Problem(
            "esptool is not installed: it is for flashing ESP32 boards",
            "pip install 'eclor-edge[flash]', or make setup",
            code=MISSING,
        )
    return Problem(
        f"{job.port}: {what}",
        "check the cable, and flash once more: the chip's own loader cannot be broken",
        code=DEVICE,
    )
