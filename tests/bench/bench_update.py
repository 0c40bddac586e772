"""What an update costs a gateway: the signature check, and the hash of a slot at every start.

On MicroPython's unix port on this computer; an RP2040 takes about 100 times as long for the power
(258 ms were measured on an emulated one) and hashes 898 KiB a second.
"""

import os
import subprocess
import tempfile
from pathlib import Path

from host_tools import bundle, image
from tests.bench.figure import Figure
from tests.on_micropython import interpreter

ROOT = Path(__file__).resolve().parent.parent.parent
_SCRIPT = """
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
    check_us, boot_us = (float(line) for line in done.stdout.split())
    where = "MicroPython's unix port on this computer, mean of 20"
    return [
        Figure("signature check", check_us / 1000, "ms", f"RSA-3072-PSS, {where}"),
        Figure("boot's choice", boot_us / 1000, "ms", f"slot hashed, file in memory, {where}"),
        Figure("firmware of a Pico W", len(data), "bytes", "the bundle of all its modules"),
    ]
