"""Write one image to one ESP32, in a process of its own: esptool's log and state are global.

    python -m host_tools.flashing.esp_worker PORT CHIP START FILE [--baud N] [--before no-reset]

It prints JSON objects, one a line: {"share": 0.5}, at the end {"done": true} or
{"cause": "chip" | "silent" | "verify" | "other", "what": "..."}; the exit code is 0 or 1.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

_TABLE_AT = 0x8000
_TABLE_BYTES = 0x0C00
_HEADS_BYTES = 8192  # littlefs has its heads in the first two blocks


def _say(**words: Any) -> None:
    print(json.dumps(words), flush=True)


def _make_log() -> Any:
    from esptool.logger import TemplateLogger

    class Log(TemplateLogger):
        """Only progress comes through."""

        def print(self, *words: Any, **options: Any) -> None:
            """Drop it."""

        note = warning = error = set_verbosity = stage = print

        def progress_bar(self, cur_iter: int, total_iters: int, *_: Any, **__: Any) -> None:
            """Pass the share on."""
            if total_iters:
                _say(share=round(cur_iter / total_iters, 3))

    return Log()


def _table_of(cmds: Any, esp: Any) -> bytes:
    """Return the partition table that is on the chip."""
    return bytes(cmds.read_flash(esp, _TABLE_AT, _TABLE_BYTES) or b"")


def _table_in(data: bytes, start: int) -> bytes:
    """Return the partition table that the image brings."""
    return data[_TABLE_AT - start : _TABLE_AT - start + _TABLE_BYTES]


def main() -> int:
    """Write and verify."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("port")
    parser.add_argument("chip")
    parser.add_argument("start", type=lambda text: int(text, 0))
    parser.add_argument("file", type=Path)
    parser.add_argument("--baud", type=int, default=460_800)
    parser.add_argument("--before", default="default-reset")
    parser.add_argument("--files", type=lambda text: int(text, 0), help="where the files begin")
    options = parser.parse_args()
    from esptool import cmds
    from esptool.logger import log
    from esptool.util import FatalError
    from serial import SerialException

    log.set_logger(_make_log())
    data = options.file.read_bytes()
    stage = "silent"
    try:
        chip = cmds.detect_chip(options.port, connect_mode=options.before, connect_attempts=3)
        with chip as esp:
            stage = "other"
            found = esp.CHIP_NAME.lower().replace("-", "")
            if found != options.chip:
                _say(cause="chip", what=found)
                return 1
            if "://" not in options.port:
                esp = cmds.run_stub(esp)  # noqa: PLW2901  # the stub is the same chip, faster
                esp.change_baud(options.baud)
            cmds.attach_flash(esp)
            pieces = [(options.start, data)]
            if options.files and _table_of(cmds, esp) != _table_in(data, options.start):
                # Files of another size would not mount, nor be made anew: MicroPython takes a
                # block that is not erased for somebody's data.
                pieces.append((options.files, b"\xff" * _HEADS_BYTES))
            cmds.write_flash(esp, pieces)
            stage = "verify"
            cmds.verify_flash(esp, [(options.start, data)])
            if options.before != "no-reset":
                cmds.reset_chip(esp, "hard-reset")
    except (FatalError, SerialException, OSError) as error:
        _say(cause=stage, what=str(error))
        return 1
    _say(done=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
