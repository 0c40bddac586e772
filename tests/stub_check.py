"""Type check of device code against the stubs of each port: `python -m tests.stub_check`.

mypy reads drivers/, agent/, boards/ and firmware/ once per port with that port's MicroPython
stubs as its standard library, so a module or a function that the port lacks is found here.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# port: what only the other one has
PORTS = {"rp2": ("esp32.py", "counter.py"), "esp32": ("rp2.py", "sampler.py")}
HOST_ONLY = ("firmware/hal/host.py", "firmware/host_start.py")


def device_files(port: str) -> list[str]:
    """Return the device files that run on the port, relative to the project."""
    # manifests are of another language: tests/host/test_manifest.py reads them
    absent = {*HOST_ONLY, "firmware/manifest.py"}
    absent |= {f"firmware/hal/{name}" for name in PORTS[port]}
    files = [
        path.relative_to(ROOT).as_posix()
        for room in ("drivers", "agent", "boards", "firmware")
        for path in sorted((ROOT / room).rglob("*.py"))
        if "images" not in path.parts
    ]
    return [name for name in files if name not in absent]


def check(port: str, files: list[str]) -> int:
    """Run mypy on the files with the port's stubs; return its exit code."""
    typings = ROOT / ".venv" / "typings" / port
    configuration = ROOT / "build" / f"mypy-{port}.ini"
    configuration.parent.mkdir(exist_ok=True)
    configuration.write_text(
        "[mypy]\n"
        f"mypy_path = {typings}\n"
        f"custom_typeshed_dir = {typings}\n"
        f"cache_dir = {ROOT / '.mypy_cache' / port}\n"
        "explicit_package_bases = true\nnamespace_packages = true\nfollow_imports = normal\n"
        "check_untyped_defs = true\nstrict_optional = false\n"
        "ignore_errors = true\nno_site_packages = true\n"
        + "".join(
            f"[mypy-{room}.*]\nignore_errors = false\n"
            for room in ("drivers", "agent", "boards", "firmware")
        )
    )
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", str(configuration), *files],
        cwd=ROOT,
        check=False,
    ).returncode


def main() -> int:
    """Check every port; 0 when all are clean."""
    return max(check(port, device_files(port)) for port in PORTS)


if __name__ == "__main__":
    raise SystemExit(main())
