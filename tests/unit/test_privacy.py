"""Personal meters leave the device under a pseudonym, once per allowed interval."""

from agent.clock import TRUSTED, UPTIME_ONLY
from agent.privacy import DAY_S, Privacy

KEY = bytes(range(32))
DAY = DAY_S * 1000
START = 20000 * DAY
METERS = [
    {"name": "school", "personal": False},
    {"name": "flat-3", "personal": True},
    {
        "name": "flat-4",
        "personal": True,
        "consent": {
            "reference": "2026-1",
            "until": "2027-03-31",
            "until_ms": START + DAY,
            "interval_s": 600,
        },
    },
]


def _count(privacy, meter, start, end, step=60000):
    # No range of milliseconds: on a board it ends where a machine word does.
    count = (end - start + step - 1) // step
    return len([1 for i in range(count) if privacy.admit(meter, start + i * step, TRUSTED)])


def test_a_public_meter_has_no_limit():
    privacy = Privacy(METERS, KEY)
    assert _count(privacy, 0, START, START + DAY) == 1440
    assert privacy.admit(0, 5, UPTIME_ONLY)


def test_a_personal_meter_keeps_one_reading_a_day():
    privacy = Privacy(METERS, KEY)
    assert _count(privacy, 1, START, START + 3 * DAY) == 3
    assert privacy.withheld == 3 * 1440 - 3


def test_consent_is_finer_until_its_end_and_not_after():
    privacy = Privacy(METERS, KEY)
    assert _count(privacy, 2, START, START + DAY) == 144
    assert _count(privacy, 2, START + DAY + 60000, START + 4 * DAY) == 3


def test_a_consent_without_a_reference_is_none():
    row = {"name": "x", "personal": True, "consent": {"until_ms": START + DAY, "interval_s": 1}}
    assert Privacy([row], KEY).interval_s(0, START) == DAY_S


def test_without_wall_time_nothing_personal_is_kept():
    assert not Privacy(METERS, KEY).admit(1, 5, UPTIME_ONLY)


def test_a_restart_does_not_give_a_second_reading_that_day():
    privacy = Privacy(METERS, KEY)
    assert privacy.admit(1, START, TRUSTED)
    again = Privacy(METERS, KEY)
    again.restore(privacy.saved())
    assert not again.admit(1, START + 1000, TRUSTED)


def test_a_clock_set_back_gives_no_second_reading():
    privacy = Privacy(METERS, KEY)
    assert privacy.admit(1, START, TRUSTED)
    assert not privacy.admit(1, START - DAY, TRUSTED)


def test_pseudonyms_are_keyed_stable_and_distinct():
    privacy = Privacy(METERS, KEY)
    assert privacy.name(0) == "school"
    assert privacy.name(1) == Privacy(METERS, KEY).name(1)
    assert privacy.name(1) != privacy.name(2)
    assert privacy.name(1) != Privacy(METERS, bytes(32)).name(1)
    assert "flat" not in privacy.name(1) and len(privacy.name(1)) == 18


def test_words_say_what_leaves():
    lines = Privacy(METERS, KEY).words()
    assert lines[0] == "school: every reading, under its name"
    assert "one reading a day" in lines[1]
    assert "every 600 s by consent 2026-1 until 2027-03-31" in lines[2]
