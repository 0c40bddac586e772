"""The technician's page in a real browser: a bare board becomes a gateway by clicks, fr and en."""

import contextlib
import re
import threading
from decimal import Decimal
from typing import Any

import pytest

from drivers import load_map
from host_tools.collect import Collector
from host_tools.flashing.images import Images
from host_tools.packing import bundle
from host_tools.page.desk import STYLE
from host_tools.page.work import Work
from host_tools.problems import DEVICE, Problem
from host_tools.processes.broker import Broker, free_port
from host_tools.processes.supervisor import Supervisor
from host_tools.sim.bare_board import BareBoard
from host_tools.sim.lines import LineSettings
from host_tools.sim.modbus_meter import ModbusMeter
from host_tools.sim.workbench import SerialBench
from host_tools.trust import ca, claim
from host_tools.trust.key_file import read_keys
from tests import browser, pictures, technicians_hour
from tests.emulated.bare import await_words
from tests.host.test_flash import Drive, uf2_image

PHRASE = "une longue phrase de passe"
_LAPTOP: Any = {"width": 1280, "height": 900}
_PHONE: Any = {"width": 390, "height": 844}
_WORDS = ".name, .h1, .hint, .q-btn, .q-field__label, .q-checkbox__label"


def test_one_job_at_a_time_and_a_problem_is_kept(tmp_path):
    work, release = Work(tmp_path), threading.Event()

    def held(_):
        release.wait(20)

    assert work.start("first", held)
    assert work.is_busy and not work.start("second", lambda tell: None)
    release.set()
    work.wait(20)
    assert work.words == "done" and work.problem is None
    assert work.deploy("/dev/nothing-here", bundle.pack({"a.bin": b"1"}, "1", 1, ["host"]))
    work.wait(20)
    assert isinstance(work.problem, Problem) and work.problem.code == DEVICE


def _served(folder, ports):
    """`eclor ui` in a process of its own, as a technician starts it; yields its address."""
    port = free_port()
    words = ["-m", "host_tools", "ui", "--listen", str(port), "--site", "site.yaml"]
    words += [word for each in ports for word in ("--port", each)]
    home = {"ECLOR_HOME": str(folder / "home")}
    return browser.served(words, port, folder=folder, environment=home, ready_s=60)


class Clicks:
    """One open page and the person before it."""

    def __init__(self, page):
        self.page = page

    def pick(self, label, option):
        """Choose of a list."""
        self.page.get_by_label(label, exact=True).click()
        self.page.get_by_role("option", name=option, exact=True).click()

    def fill(self, label, text):
        """Type."""
        self.page.get_by_label(label, exact=True).fill(text)

    def await_text(self, where, words):
        """Wait until a part of the page says something."""
        self.page.wait_for_function(
            "([where, words]) => document.querySelector(where).innerText.includes(words)",
            arg=[where, words],
            timeout=60_000,
        )

    def press(self, name, until):
        """Press a button and wait for what the page then says of its work."""
        self.page.click(f".{name}")
        self.page.wait_for_function(
            "words => document.querySelector('.progress .name').innerText.includes(words)"
            " || document.querySelector('.fault-text').innerText",
            arg=until,
            timeout=60_000,
        )
        assert self.page.inner_text(".fault-text") == ""

    def form(self):
        """Return what is always there to be read."""
        texts = self.page.eval_on_selector_all(
            _WORDS,
            "all => all.filter(one => one.checkVisibility() && !one.closest('.progress'))"
            ".map(one => one.innerText)",
        )
        return pictures.normal("\n".join([STYLE, *(t for t in texts if "/" not in t)]))


@pytest.fixture
def desk(tmp_path):
    """A bare board with two meters, a waiting Pico, an authority, a broker and its collector."""
    ca.create(tmp_path / "home" / "ca", "Ville", PHRASE)
    firmware = tmp_path / "RPI_PICO_W-20260401-v1.28.0.uf2"
    firmware.write_bytes(uf2_image())
    Images(tmp_path / "home" / "images").add(firmware)
    meters = [
        ModbusMeter(load_map(name), unit, lambda name, now_s: Decimal("230.4"))
        for unit, name in ((1, "sdm630"), (2, "sdm120"))
    ]
    with contextlib.ExitStack() as stack:
        drive = Drive(tmp_path / "RPI-RP2", "RPI-RP2", firmware.stat().st_size)
        stack.callback(drive.close)
        bench = stack.enter_context(SerialBench(meters, LineSettings(9600, 8, "N", 1)))
        board = stack.enter_context(
            BareBoard(tmp_path / "bare", uarts={"uart1": bench.path}, watchdog_s=60.0)
        )
        broker = Broker(stack.enter_context(Supervisor()), tmp_path / "broker")
        broker.start()
        site = technicians_hour.SITE.replace("PORT", str(broker.mqtt_port))
        (tmp_path / "site.yaml").write_text(site, "utf-8")
        yield board, drive, broker


def test_a_gateway_by_clicks(desk, tmp_path):
    """Flash, deploy, provision, scan, listen, accept: English, then looked at in French."""
    browser.require()
    board, drive, broker = desk
    with (
        _served(tmp_path, ["bare/port", "RPI-RP2"]) as address,
        browser.opened() as opened,
    ):
        page = opened.new_page(viewport=_LAPTOP)
        complaints: list[str] = []
        foreign: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda r: None if address in r.url or r.url[:5] == "data:" else foreign.append(r.url),
        )
        page.goto(address + "?lang=en")
        page.wait_for_selector(".provision")
        clicks = Clicks(page)
        page.click(".port:has-text('RPI-RP2')")
        clicks.pick("board", "rpi_pico_w")
        clicks.press("flash", "flash: done")
        assert not drive.folder.exists(), "the Pico has taken its image"
        page.click(".port:has-text('bare/port')")
        clicks.pick("board", "host")
        clicks.press("deploy", "deploy: done")
        page.click(".check")
        clicks.press("provision", "provision: done")
        await_words(board, "gw-ecole: 2 meters")
        clicks.fill("addresses", "1-2")
        clicks.press("scan", "scan: done")
        assert "sdm120" in page.inner_text(".found:has-text('9600')")
        assert "sdm630" in page.inner_text(".found:has-text('9600')")
        page.click(".listen")
        clicks.await_text(".progress .name", "listening")
        board.power_cut()
        board.power_on()
        clicks.await_text(".log", "gw-ecole: 2 meters")
        page.click(".stop")
        clicks.await_text(".progress .name", "watch: done")
        keys = tmp_path / "keys.json"
        claim.collect(tmp_path / "home" / "ca", PHRASE, [tmp_path / "gw-ecole.claim.json"], keys)
        clicks.fill("Passphrase", PHRASE)
        clicks.fill("technician", "Élodie")
        with Collector(
            "127.0.0.1",
            broker.mqtt_port,
            f"sqlite:///{tmp_path / 'readings.db'}",
            keys=read_keys(keys),
        ):
            page.click(".values")
            clicks.await_text(".live", "230.4 V")
            page.click(".stop")
            clicks.await_text(".progress .name", "values: done")
            clicks.press("accept", "accept: done")
        page.wait_for_selector(".verdict-text")
        assert page.inner_text(".verdict-text") == "accepted"
        _look(page, clicks, "desk-page.png")
        for lang, verdict in (("en", "accepted"), ("fr", "acceptée")):
            for name, size in (("laptop", _LAPTOP), ("phone", _PHONE)):
                if (lang, name) == ("en", "laptop"):
                    continue
                other = opened.new_page(viewport=size)
                other.goto(f"{address}?lang={lang}")
                other.wait_for_selector(".verdict-text")
                assert other.inner_text(".verdict-text") == verdict
                width = other.evaluate("document.documentElement.scrollWidth")
                assert width <= size["width"], "nothing is cut off"
                _look(other, Clicks(other), f"desk-{name}-{lang}.png")
                other.close()
    assert not complaints and not [url for url in foreign if not url.startswith("ws://127.0.0.1")]
    assert list(tmp_path.glob("gw-ecole-*.pdf"))
    for path in (p for p in tmp_path.rglob("*") if p.is_file()):
        assert PHRASE.encode() not in path.read_bytes()


def _look(page, clicks, name):
    """Keep a picture of the page; those that the README shows are compared."""
    drawn = page.screenshot(full_page=True)
    if name in pictures.SHOWN:
        pictures.keep(name, drawn, clicks.form())
    else:
        pictures.MADE.mkdir(parents=True, exist_ok=True)
        (pictures.MADE / name).write_bytes(drawn)
    assert not re.search(r"\{\w+\}", page.inner_text("main")), "a field without its value"
    assert browser.icons_without_a_picture(page) == []
