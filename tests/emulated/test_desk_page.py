"""The technician's page in a real browser: a bare board becomes a gateway by clicks, fr and en."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from host_tools.broker import free_port
from host_tools.page.work import Work
from host_tools.problems import DEVICE, Problem
from tests import technicians_hour
from tests.emulated.bare import ROOT, await_words, deployed
from tests.skips import skip

CHROMIUM = Path("/usr/bin/chromium")
PICTURES = ROOT / "build"
PHRASE = "une longue phrase de passe"


def test_one_job_at_a_time_and_a_problem_is_kept(tmp_path):
    work, release = Work(tmp_path), threading.Event()
    assert work.start("first", lambda tell: release.wait(20) and None)
    assert work.is_busy and not work.start("second", lambda tell: None)
    release.set()
    work.wait(20)
    assert work.words == "done" and work.problem is None
    assert work.deploy("/dev/nothing-here", technicians_bundle())
    work.wait(20)
    assert isinstance(work.problem, Problem) and work.problem.code == DEVICE


def technicians_bundle():
    from host_tools import bundle

    return bundle.pack({"a.bin": b"1"}, "1", 1, ["host"])


@pytest.fixture
def board(tmp_path, tmp_path_factory):
    with deployed(tmp_path / "bare", tmp_path_factory.getbasetemp()) as made:
        yield made


@pytest.fixture
def address(board, tmp_path):
    (tmp_path / "site.yaml").write_text(technicians_hour.SITE.replace("PORT", "9"), "utf-8")
    port = free_port()
    environment = {key: value for key, value in os.environ.items() if "PYTEST" not in key}
    environment |= {"PYTHONPATH": str(ROOT), "ECLOR_HOME": str(tmp_path / "home")}
    words = ["ui", "--listen", str(port), "--port", board.port, "--site", "site.yaml"]
    child = subprocess.Popen(
        [sys.executable, "-m", "host_tools", *words],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    until_s = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        assert child.poll() is None and time.monotonic() < until_s
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(0.1)
    yield f"http://127.0.0.1:{port}/"
    child.terminate()
    child.wait(20)


def _finish(page, words):
    page.wait_for_function(
        f"document.querySelector('.progress .name').innerText.includes('{words}')", timeout=60_000
    )


def test_a_gateway_by_clicks(board, address, tmp_path):
    if not CHROMIUM.exists():
        skip("chromium is not installed: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        complaints: list[str] = []
        foreign: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda r: None if address in r.url or r.url[:5] == "data:" else foreign.append(r.url),
        )
        page.goto(address + "?lang=en")
        page.wait_for_selector(".provision")
        page.click(".provision")
        _finish(page, "provision done")
        await_words(board, "gw-ecole: 2 meters")
        page.fill('input[aria-label="Passphrase"]', PHRASE)
        page.fill('input[aria-label="technician"]', "Élodie")
        page.click(".accept")
        page.wait_for_selector(".verdict-text", timeout=90_000)
        assert page.inner_text(".verdict-text") == "not accepted", "its meters are not there"
        page.screenshot(path=PICTURES / "desk-laptop-en.png", full_page=True)
        phone = browser.new_page(viewport={"width": 390, "height": 844})
        phone.goto(address + "?lang=fr")
        phone.wait_for_selector(".verdict-text")
        assert phone.inner_text(".verdict-text") == "refusée"
        assert "Mettre en service" in phone.inner_text(".provision")
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390, "nothing is cut off"
        phone.screenshot(path=PICTURES / "desk-phone-fr.png", full_page=True)
        browser.close()
    assert not complaints and not [url for url in foreign if not url.startswith("ws://127.0.0.1")]
    assert list(tmp_path.glob("gw-ecole-*.pdf"))
    for path in (p for p in tmp_path.rglob("*") if p.is_file()):
        assert PHRASE.encode() not in path.read_bytes()
