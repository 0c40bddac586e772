"""The live page in a real browser: both languages, both widths, the buttons, nothing foreign."""

import re

import pytest

from host_tools.look.words import CAUSES, LANGUAGES, best_language
from host_tools.page import picture, words
from host_tools.page.view import Figures
from host_tools.processes.broker import free_port
from tests import browser
from tests.fakes.view_of_a_site import StillView

DEADLINE_S = 30
WORKING = dict.fromkeys(("line", "gateway", "broker", "collector"), "up")


@pytest.fixture(scope="module")
def address():
    port = free_port()
    with browser.served(["-m", "tests.fakes.view_of_a_site", str(port)], port) as address:
        yield address


@pytest.fixture
def open_page(chromium, address):
    opened = []

    def open_at(path="", width=1280, **options):
        page = chromium.new_page(viewport={"width": width, "height": 900}, **options)
        page.requested, page.complaints = [], []
        page.on("request", lambda request: page.requested.append(request.url))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(address + path)
        page.wait_for_selector("canvas", timeout=DEADLINE_S * 1000)
        opened.append(page)
        return page

    yield open_at
    for page in opened:
        page.close()


def test_the_page_shows_the_verdict_and_every_meter(open_page):
    page = open_page("?lang=en")
    text = page.inner_text("main")
    for meter in StillView.meters:
        assert meter.name in text
    assert re.search(r"Lost\s+0\s", text)
    assert re.search(r"Declared\s+6\s", text)
    assert "restart (power cut) 1" in text
    assert "152, 18 times it" in text
    assert page.locator("canvas").count() == len(StillView.meters)
    assert browser.icons_without_a_picture(page) == []


def test_a_log_line_is_text_and_never_markup(open_page):
    assert "<segment 4> sealed" in open_page().inner_text(".log")


def test_nothing_is_loaded_from_outside(open_page, address):
    page = open_page()
    outside = [url for url in page.requested if not url.startswith((address, "data:", "blob:"))]
    assert outside == []
    assert page.complaints == []


def test_the_language_follows_the_browser_and_the_switch_goes_first(open_page):
    page = open_page(locale="fr-FR")
    assert "Perdus" in page.inner_text("main")
    assert page.evaluate("document.documentElement.lang") == "fr"
    page.click("text=English")
    page.wait_for_selector("text=Lost")
    assert "Lost" in open_page("?lang=en", locale="fr-FR").inner_text("main")
    assert "Lost" in open_page("?lang=xx", locale="de-DE").inner_text("main")


def test_a_phone_needs_no_sideways_scrolling(open_page):
    page = open_page("?lang=fr", width=360)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.is_visible("svg.upright")
    assert not page.is_visible("svg.lying")


def test_the_buttons_cut_and_the_picture_says_so(open_page):
    page = open_page("?lang=en")
    assert page.locator("svg.lying .break").count() == 0
    page.click(".cut_network")
    page.wait_for_selector("svg.lying .break", state="attached")
    page.click(".cut_power")
    page.wait_for_selector("svg.lying .fault .words >> text=no power")
    page.click(".garble_line")
    page.wait_for_selector("svg.lying .wire.fault >> nth=3", state="attached")


def test_every_text_exists_in_every_language():
    for key, texts in {**words.TEXTS, **CAUSES}.items():
        assert set(texts) == set(LANGUAGES), key
        assert len({text.count("{}") for text in texts.values()}) == 1, key


def test_numbers_follow_the_language():
    assert words.LiveWords("en").number(1234567.5, 1) == "1,234,567.5"
    assert words.LiveWords("fr").number(1234567.5, 1) == "1\u202f234\u202f567,5"
    assert words.LiveWords("fr").span(3725) == "1 h 02 min"


def test_the_browser_language_is_taken_in_its_order():
    assert best_language("de, fr-CH;q=0.9, en;q=0.8") == "fr"
    assert best_language("de") == "en"
    assert best_language("") == "en"


def test_an_absent_part_is_said_in_the_picture():
    figures = Figures(parts={**WORKING, "broker": "no broker at <127.0.0.1>"})
    drawn = picture.lying(StillView.meters, "gw", figures, words.LiveWords("en"))
    assert "no broker at &lt;127.0.0.1&gt;" in drawn
    assert 'class="node fault"' in drawn
    healthy = picture.lying(StillView.meters, "gw", Figures(parts=WORKING), words.LiveWords("en"))
    assert "fault" not in healthy


def test_a_meter_without_a_newest_reading_is_marked():
    drawn = picture.upright(
        StillView.meters, "gw", Figures(parts=WORKING), words.LiveWords("en"), ["linky"]
    )
    assert drawn.count('class="node unknown"') == 1
