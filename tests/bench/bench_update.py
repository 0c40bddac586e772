"""What an update costs a gateway: the signature check, and the hash of a slot at every start.

Both are measured on MicroPython's unix port on this computer. What an RP2040 takes is computed
from two rates that were read on an emulated one at 125 MHz; no board was measured.
"""

import os
import platform
import subprocess
import tempfile
from pathlib import Path

from host_tools.packing import bundle, image
from tests.bench.figure import Figure
from tests.on_micropython import interpreter

ROOT = Path(__file__).resolve().parent.parent.parent
_RP2040_POWER_MS = 258  # pow(s, 65537, n) of 3072 bits
_RP2040_HASH = 898 * 1024  # bytes a second
_SCRIPT = """
import sys
import time
from agent.signature import is_signed
from firmware import boot
from tests.vectors.release import MODULUS, SIGNATURE, SIGNED
at = time.ticks_us()
for _ in range(20):
    assert is_signed(MODULUS, SIGNED, SIGNATURE)
print(time.ticks_diff(time.ticks_us(), at) / 20)
at = time.ticks_us()
for _ in range(20):
    assert boot.choose({root!r})[0] == "a"
print(time.ticks_diff(time.ticks_us(), at) / 20)
print(".".join([str(part) for part in sys.implementation[1][:3]]), sys.platform)
"""


def run() -> list[Figure]:
    """Measure both, and the size of a slot."""
    with tempfile.TemporaryDirectory() as folder:
        data = bundle.pack(image.files_for(["rpi_pico_w"]), "1", 1, ["rpi_pico_w"])
        (Path(folder) / "a").write_bytes(data)
        (Path(folder) / "slot").write_bytes(bundle.slot_state("a"))
        done = subprocess.run(
            [interpreter(), "-c", _SCRIPT.format(root=folder)],
            cwd=ROOT,
            env={**os.environ, "MICROPYPATH": ".:.frozen"},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    lines = done.stdout.splitlines()
    check_us, boot_us = float(lines[0]), float(lines[1])
    where = (
        f"MicroPython {lines[2]}, unix port, on this computer ({platform.machine()}), mean of 20"
    )
    board = "computed from rates read on an emulated RP2040 at 125 MHz"
    hash_ms = len(data) * 1000 / _RP2040_HASH
    return [
        Figure("signature check", check_us / 1000, "ms", f"RSA-3072-PSS, {where}"),
        Figure("boot's choice", boot_us / 1000, "ms", f"slot hashed, file in memory, {where}"),
        Figure("signature check, RP2040", _RP2040_POWER_MS, "ms", f"the power alone, {board}"),
        Figure("boot's choice, RP2040", hash_ms, "ms", f"the slot's hash alone, {board}"),
        Figure("firmware of a Pico W", len(data), "bytes", "the bundle of all its modules"),
    ]
