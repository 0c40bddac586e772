"""The fleet's pages in a real browser: both languages, both widths, gaps, the login."""

import asyncio
import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest

from host_tools.collect.pages import access, data, words
from host_tools.collect.pages.app import Pages, serve
from host_tools.collect.pages.cells import journal_text
from host_tools.collect.rules import Rules
from host_tools.look.words import LANGUAGES
from host_tools.problems import Problem
from host_tools.processes.broker import free_port
from tests import browser
from tests.fakes import fleet_of_gateways

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 30
PASSWORD = "correct horse battery"


@contextlib.contextmanager
def pages(folder, *arguments):
    """Run the pages in a process of their own; yield their port."""
    port = free_port()
    words = ["-m", "tests.fakes.fleet_of_gateways", str(port), str(folder), *arguments]
    with browser.served(words, port):
        yield port


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with pages(tmp_path_factory.mktemp("fleet")) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def open_page(chromium, address):
    opened = []

    def open_at(path, width=1280, wait=".plain >> text=gw-", **options):
        page = chromium.new_page(viewport={"width": width, "height": 900}, **options)
        page.requested, page.complaints = [], []
        page.on("request", lambda request: page.requested.append(request.url))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(address + path)
        page.wait_for_selector(wait, timeout=DEADLINE_S * 1000)
        opened.append(page)
        return page

    yield open_at
    for page in opened:
        assert page.complaints == []
        outside = [
            url for url in page.requested if not url.startswith((address, "data:", "blob:"))
        ]
        assert outside == []
        page.close()


METER = "/meter?gateway=gw-00001&meter=main&lang={}&point={}&span={}"


def test_the_fleet_shows_every_gateway_and_what_is_wrong(open_page):
    page = open_page("/?lang=en")
    text = page.inner_text("main")
    assert "gw-00011" in text
    assert page.inner_text(".tile:has-text('Gateways') .value") == "12"
    assert page.inner_text(".tile:has-text('Silent') .value") == "2"
    assert page.inner_text(".tile:has-text('Open alarms') .value") == "2"
    assert "école <nord>" in text  # a name is text, never markup
    assert page.locator("canvas").count() == 1
    page.click(".plain th >> text=Backlog")
    page.wait_for_selector(".plain th.sorted")
    page.click(".plain th >> text=Backlog")
    page.wait_for_selector(".plain tbody tr:first-child >> text=gw-00011")


def test_a_gateway_leads_to_its_meters_and_they_to_their_history(open_page):
    page = open_page("/?lang=fr")
    page.click("text=gw-00001")
    page.wait_for_selector("text=energy_import")
    assert "<contact>" in page.inner_text("main")
    page.click("text=power")
    page.wait_for_selector("canvas")
    assert "tel que relevé" in page.inner_text("main")
    page.click("text=Année")
    page.wait_for_selector("text=par jour")


@pytest.mark.parametrize(("point", "span"), [("power", "week"), ("energy_import", "month")])
def test_every_span_of_a_meter_is_drawn(open_page, point, span):
    page = open_page(METER.format("en", point, span), wait="canvas")
    assert "per quarter of an hour" in page.inner_text("main")


def test_events_and_open_data_are_shown(open_page):
    assert "door_open" in open_page("/events?lang=en").inner_text("main")
    page = open_page("/open?lang=en", wait=".plain >> text=Wh")
    assert "maison-des-tilleuls" in page.inner_text("main")
    assert "main" not in page.inner_text(".plain tbody").split()


@pytest.mark.parametrize("path", ["/", "/site?gateway=gw-00001", "/events", "/open"])
def test_a_phone_needs_no_sideways_scrolling(open_page, path):
    page = open_page(f"{path}{'&' if '?' in path else '?'}lang=fr", 360, ".q-table__grid-item")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("document.documentElement.lang") == "fr"


def test_an_unknown_meter_is_said(open_page):
    page = open_page("/meter?gateway=x&meter=y&point=z&lang=fr", wait=".card")
    assert "n'existe pas" in page.inner_text("main")


def test_without_a_login_nothing_but_open_data_is_seen(tmp_path):
    users = tmp_path / "users.json"
    access.add_user(users, "marie", PASSWORD)
    assert users.stat().st_mode & 0o077 == 0
    with pages(tmp_path, "3", "1", str(users)) as port:

        def ask(method, path, body=None, cookie=""):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
            headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.read()
            return answer

        for path in ("/", "/site?gateway=gw-00001", "/meter", "/events"):
            answer = ask("GET", path)
            assert (answer.status, answer.getheader("Location")[:6]) == (303, "/login")
        assert ask("GET", "/login").status == 200
        assert ask("GET", "/open").status == 200
        wrong = urlencode({"name": "marie", "password": "guess"})
        assert ask("POST", "/login", wrong).status == 403
        right = urlencode({"name": "marie", "password": PASSWORD})
        answer = ask("POST", "/login", right)
        assert answer.status == 303
        cookie = answer.getheader("Set-Cookie").split(";")[0]
        assert ask("GET", "/", cookie=cookie).status == 200
        assert [ask("POST", "/login", wrong).status for _ in range(5)] == [403] * 4 + [429]
        assert ask("POST", "/login", right).status == 429


def test_the_command_says_where_its_pages_are(tmp_path):
    url, port = f"sqlite:///{tmp_path}/readings.db", free_port()
    fleet_of_gateways.fill(url, 1, 1).dispose()
    words = ["pages", "--database", url, "--listen", f"127.0.0.1:{port}"]
    child = subprocess.Popen(
        [sys.executable, "-m", "host_tools", *words],
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if "PYTEST" not in key},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        assert f"http://127.0.0.1:{port}/" in child.stdout.readline()
    finally:
        child.terminate()
        child.communicate(timeout=DEADLINE_S)


def test_the_open_page_asks_the_database_once_for_everybody(mocker):
    ask = mocker.patch("host_tools.collect.pages.app.cells", return_value=[])
    made = Pages(None, Rules(), 10)  # type: ignore[arg-type]

    async def visitors():
        return await asyncio.gather(*(made._open_cells() for _ in range(5)))

    with ThreadPoolExecutor() as other:  # the browser's loop runs in this thread
        assert len(other.submit(lambda: asyncio.run(visitors())).result()) == 5
    assert ask.call_count == 1


def test_a_page_of_a_busy_database_is_waited_for(mocker):
    page = mocker.patch("host_tools.collect.pages.app.ui.page")
    Pages(None, Rules(), 10).register()  # type: ignore[arg-type]
    assert page.call_count == 5
    assert all(call.kwargs["response_timeout"] >= 30 for call in page.call_args_list)


def test_anything_but_loopback_needs_users():
    with pytest.raises(Problem, match="would show everybody"):
        serve(None, Rules(), ("0.0.0.0", 8081))  # type: ignore[arg-type]


def test_guessing_is_slow():
    tries = access.Tries()
    for _ in range(5):
        assert tries.may("a", 0)
        tries.failed("a", 0)
    assert not tries.may("a", 59)
    assert tries.may("b", 0)
    assert tries.may("a", 60)


def test_a_gap_in_the_readings_is_a_gap_in_the_curve(tmp_path):
    engine = fleet_of_gateways.fill(f"sqlite:///{tmp_path}/readings.db", 1, 10)
    now_ms = time.time_ns() // 1_000_000
    for days, step_s in ((2, 0), (9, 900), (300, 86_400)):
        since = now_ms - days * 86_400_000
        found = data.history(engine, "gw-00000", "main", "power", since, now_ms)
        assert found is not None
        assert found.step_s == step_s
        values = [value for _, value in found.samples]
        assert 1 <= len(values) <= 2000
        if step_s < 86_400:
            at = [at_ms for at_ms, value in found.samples if value is None]
            gap = now_ms - 65 * 600_000
            assert any(abs(one - gap) < 20 * 600_000 for one in at)
    engine.dispose()


def test_a_late_neighbour_breaks_the_line_and_a_punctual_one_does_not():
    samples: list[data.Sample] = [(0, 1.0), (10, 2.0), (60, 3.0)]
    assert data.broken(samples, 25) == [(0, 1.0), (10, 2.0), (35, None), (60, 3.0)]


def test_every_text_exists_in_every_language():
    for key, texts in words.TEXTS.items():
        assert set(texts) == set(LANGUAGES), key
        assert len({text.count("{}") for text in texts.values()}) == 1, key


@pytest.mark.parametrize(
    ("state", "language", "shown"),
    [
        ({}, "en", "—"),
        ({"journal": 254, "lasts": [None, None]}, "en", "25 %"),
        ({"journal": 254, "lasts": "41"}, "en", "25 %"),
        ({"journal": 254, "lasts": [1000, None]}, "en", "25 %, full in 41 days"),
        (
            {"journal": 254, "lasts": [1000, 30]},
            "fr",
            "25 %, plein dans 41 jours ; flash : 30 ans",
        ),
    ],
)
def test_the_fleet_says_for_how_long_a_journal_and_its_flash_last(state, language, shown):
    row: Any = SimpleNamespace(
        name="gw", site="", last_seen_ms=0, online=True, version="1", board="host"
    )
    row.state = json.dumps(state)
    found = data._gateway(row, 0)
    assert journal_text(found, words.FleetWords(language)) == shown
