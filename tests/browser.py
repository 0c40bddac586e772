"""A real browser, and pages in a process of their own for it to look at.

with served(["-m", "host_tools", "ui", "--listen", str(port)], port) as address:
    with opened() as browser:
        browser.new_page().goto(address)
"""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.skips import skip

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = Path("/usr/bin/chromium")


def require() -> None:
    """Skip the test that asks, with the reason counted, where there is no browser."""
    if not CHROMIUM.exists():
        skip("chromium is not installed: apt-get install chromium")


@contextlib.contextmanager
def opened() -> Iterator[Any]:
    """Start the browser for the length of a with block."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


@contextlib.contextmanager
def served(
    words: Sequence[str],
    port: int,
    *,
    folder: Path = ROOT,
    environment: Mapping[str, str] | None = None,
    ready_s: float = 30,
) -> Iterator[str]:
    """Run `python WORDS`, which serves pages on a port of 127.0.0.1; yield their address."""
    # NiceGUI behaves otherwise when it believes that it is itself tested.
    variables = {key: value for key, value in os.environ.items() if "PYTEST" not in key}
    variables |= {"PYTHONPATH": str(ROOT), **(environment or {})}
    child = subprocess.Popen(
        [sys.executable, *words], cwd=folder, env=variables, stdout=subprocess.DEVNULL
    )
    try:
        await_port(child, port, ready_s)
        yield f"http://127.0.0.1:{port}/"
    finally:
        child.terminate()
        child.wait(30)


def await_port(child: subprocess.Popen[Any], port: int, wait_s: float) -> None:
    """Wait until a process that was just started takes connections on a port."""
    until_s = time.monotonic() + wait_s
    while time.monotonic() < until_s and child.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(0.05)
    raise TimeoutError(f"nothing listens on port {port}")


def icons_without_a_picture(page: Any) -> list[str]:
    """Return the icons of an open page that its font does not know: it writes their names out."""
    found: list[str] = page.eval_on_selector_all(
        ".q-icon",
        "all => all.filter(i => i.scrollWidth > i.clientWidth + 1).map(i => i.innerText)",
    )
    return found
