"""The README's pictures: made by the tests that drive the terminal and the pages, never by hand.

    python -m tests.pictures             # make pictures: all of them anew, in host_tools/page/

Each run of those tests draws them into build/pictures/ and compares their *form* with that of the
README's: the words without figures, names of numbers and times. So a command that says something
else, or a page with another button, fails until `make pictures` has been run and looked at.
"""

import html
import os
import re
import struct
import subprocess
import sys
import tempfile
import zlib
from hashlib import sha256
from pathlib import Path

from host_tools.processes.broker import free_port
from tests.browser import opened, served

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "host_tools" / "page"
MADE = ROOT / "build" / "pictures"
SHOWN = ("session.svg", "session-fr.svg", "desk-page.png", "desk-phone-fr.png")
_RENEW = "ECLOR_PICTURES"
_TESTS = ("tests/emulated/test_accept.py", "tests/emulated/test_desk_page.py")
_PNG_HEAD = 8 + 25  # signature, IHDR
_LIVE_S = 75


def normal(text: str) -> str:
    """Return a text without what differs from run to run: figures, hashes, claims, spaces."""
    text = re.sub(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}\b|\b[0-9a-f]{16}\b", "#", html.unescape(text))
    return re.sub(r"\s+", "", re.sub(r"\d+(?:[.,:-]\d+)*", "#", text))


def form_of_svg(data: bytes) -> str:
    """Return what a drawn terminal says, line after line."""
    texts = re.findall(r"<text[^>]*>(.*?)</text>", data.decode(), flags=re.S)
    return normal("".join(texts))


def keep(name: str, data: bytes, form: str) -> None:
    """Keep a picture in build/pictures/; AssertionError when the README's is of another form."""
    MADE.mkdir(parents=True, exist_ok=True)
    if name.endswith(".png"):
        data = _with_form(data, sha256(form.encode()).hexdigest())
    (MADE / name).write_bytes(data)
    kept = FOLDER / name
    if os.environ.get(_RENEW):
        kept.write_bytes(data)
        return
    shown = kept.read_bytes()
    there = _form_in(shown) if name.endswith(".png") else form_of_svg(shown)
    wanted = sha256(form.encode()).hexdigest() if name.endswith(".png") else form
    assert there == wanted, f"{kept} is of another day: make pictures, and look at it"


def _with_form(png: bytes, digest: str) -> bytes:
    """Return a PNG with the digest of its form in a text of its own (PNG 1.2, 4.2.3)."""
    body = b"tEXt" + b"form\0" + digest.encode()
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return png[:_PNG_HEAD] + chunk + png[_PNG_HEAD:]


def _form_in(png: bytes) -> str:
    found = re.search(rb"tEXtform\0([0-9a-f]{64})", png[:300])
    return found[1].decode() if found else ""


def _live_page() -> None:
    """Take the picture of `eclor demo` once its meters have been read for a while."""
    port = free_port()
    words = ["-m", "host_tools", "demo", "--port", str(port), "--seconds", str(_LIVE_S + 60)]
    with (
        tempfile.TemporaryDirectory() as folder,
        served(words, port, folder=Path(folder), ready_s=60) as address,
        opened() as browser,
    ):
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"{address}?lang=en")
        page.wait_for_timeout(_LIVE_S * 1000)
        page.screenshot(path=FOLDER / "live-page.png", full_page=True)


def main() -> int:
    """Make every picture anew; return the tests' exit code."""
    environment = os.environ | {_RENEW: "1"}
    tests = [sys.executable, "-m", "pytest", "-n", "0", "-k", "eight_commands or by_clicks"]
    code = subprocess.run([*tests, *_TESTS], cwd=ROOT, env=environment, check=False).returncode
    if not code:
        _live_page()
        print(f"{FOLDER}: look at them, then commit them")
    return code


if __name__ == "__main__":
    raise SystemExit(main())
