"""Rules: their mistakes by line, forgetting, alarms, and telling people, on both engines."""

from email import message_from_bytes, policy

import pytest
import sqlalchemy as sa

from agent.record import BLOCK, EVENT
from host_tools.collect import queries, tables
from host_tools.collect.alarms import watch
from host_tools.collect.database import open_database
from host_tools.collect.delivery import deliver
from host_tools.collect.keeper import Keeper
from host_tools.collect.retention import forget
from host_tools.collect.rules import Keep, Rules, Tell, parse_rules
from host_tools.collect.store import Store
from host_tools.collect.summaries import summarise
from host_tools.problems import Problem
from tests.fakes.gateway_messages import GOOD, START_MS, birth, block, record
from tests.fakes.sinks import HTTPSink, MailSink

HOUR = 3_600_000
DAY = 24 * HOUR
START = START_MS - START_MS % DAY


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("keep: [", "no YAML"),
        ("[]", "sections like keep and alarms are expected"),
        ("kepe: []", "rules:1: kepe is no section"),
        ("keep:\n - {meters: 3}", "rules:2: meters: 3, str is expected"),
        ("keep:\n - {meters: '*', raw_days: 9, summary_days: 3}", "at least as long"),
        ("keep:\n - {raw_days: 9}", "missing 1 required"),
        ("alarms:\n - {name: a, kind: fire}", "'fire' is none of silent"),
        ("alarms:\n - {name: a, kind: full, at_least: much}", "'much' is no number"),
        ("alarms:\n - {name: a, kind: full}\n - {name: a, kind: leak}", "the name 'a' twice"),
        ("tell:\n - {names: '*'}", "either webhook or mail_to"),
        ("tell:\n - {webhook: ftp://x}", "no http address"),
        ("tell:\n - {mail_to: a@b}", "mail_from is missing"),
        ("tell:\n - 3", "rules:2: members"),
        ("outputs:\n - {name: a, kind: fax, url: x}", "'fax' is none of"),
        ("outputs:\n - {name: a, kind: senml, url: 'http://x'}", "does not begin with mqtt://"),
        ("places:\n - {meters: '*', longitude: 200, latitude: 0}", "longitude is"),
    ],
)
def test_a_mistake_is_named_with_its_line(text, found):
    with pytest.raises(Problem) as caught:
        parse_rules(text)
    assert found in caught.value.what


def test_numbers_and_truth_are_taken_as_they_are_written():
    rules = parse_rules(
        "keep:\n - {meters: '*', raw_days: 400, summary_days: 0}\n"
        "alarms:\n - {name: f, kind: full, at_least: 0.9, below: true, hours: 0x10}"
    )
    assert rules.keep == (Keep("*", 400, 0),)
    assert (rules.alarms[0].below, rules.alarms[0].hours) == (True, 16)
    with pytest.raises(Problem, match="below: 1, bool is expected"):
        parse_rules("alarms:\n - {name: f, kind: full, below: 1}")
    with pytest.raises(Problem, match="hours: True, int is expected"):
        parse_rules("alarms:\n - {name: f, kind: full, hours: true}")


def test_every_mistake_is_named_at_once():
    with pytest.raises(Problem) as caught:
        parse_rules("alarms:\n - {name: a, kind: fire}\n - {name: b, kind: leak, hours: 0}")
    assert "rules:2" in caught.value.what
    assert "rules:3" in caught.value.what


@pytest.fixture
def store(database_url):
    engine = open_database(database_url)
    made = Store(engine, lambda: START)
    made.take([birth()])
    yield made
    engine.dispose()


def take(store, rows, seq=1):
    """Store rows of (at_ms, energy, power), an hour's worth in each block."""
    for start in range(0, len(rows), 60):
        data = block(
            [(at, [energy, power], GOOD) for at, energy, power in rows[start : start + 60]]
        )
        store.take([record(BLOCK, seq, data)])
        seq += 1
    summarise(store.engine)
    return seq


# -- forgetting ------------------------------------------------------------------------------


def test_old_readings_go_and_their_summaries_stay(store):
    seq = take(store, [(START + i * HOUR, i, i) for i in range(10 * 24)])
    now = START + 10 * DAY
    gone = forget(store.engine, [Keep("main", 3, 8)], now)
    assert gone == {"readings": 7 * 24 - 1, "summaries": (4 * 48 + 2) + (48 + 2)}
    with store.engine.connect() as connection:
        total = sa.text("SELECT SUM(integer) FROM consumption WHERE step_s = 86400")
        assert connection.scalar(total) == 8 * 24 - 1
    # What comes late does not spoil what was summarised from readings that are gone.
    take(store, [(START + 4 * DAY + 60_000, 9999, 1)], seq)
    with store.engine.connect() as connection:
        assert connection.scalar(total) == 8 * 24 - 1


def test_the_first_matching_line_counts_and_no_line_keeps_everything(store):
    take(store, [(START + i * DAY, i, i) for i in range(10)])
    now = START + 10 * DAY
    assert forget(store.engine, [Keep("*", 0, 0), Keep("main", 1, 1)], now)["readings"] == 0
    assert forget(store.engine, [Keep("other", 1, 1)], now)["readings"] == 0
    assert forget(store.engine, [Keep("gw-a/ma*", 3, 0)], now)["readings"] == 6


def test_nothing_is_forgotten_before_it_is_summarised(store):
    data = block([(START + i * DAY, [i, i], GOOD) for i in range(10)])
    store.take([record(BLOCK, 1, data)])
    assert forget(store.engine, [Keep("*", 1, 0)], START + 10 * DAY)["readings"] == 0
    assert queries.stored(store.engine) == 10


def test_an_hour_later_nothing_is_written_for_meters_of_which_nothing_goes(store):
    take(store, [(START + i * HOUR, i, i) for i in range(10 * 24)])
    said = []
    assert forget(store.engine, [Keep("main", 3, 0)], START + 10 * DAY)["readings"] > 0
    sa.event.listen(store.engine, "before_cursor_execute", lambda *call: said.append(call[2]))
    assert forget(store.engine, [Keep("main", 3, 0)], START + 10 * DAY + HOUR)["readings"] == 0
    assert said and not [words for words in said if words.startswith(("UPDATE", "DELETE"))]


# -- alarms ----------------------------------------------------------------------------------


def alarms_of(store, text, now_ms):
    rules = parse_rules("alarms:\n - " + text)
    return [
        (one.gateway, one.meter, one.detail) for one in watch(store.engine, rules.alarms, now_ms)
    ]


def test_a_silent_gateway_is_found_and_a_talking_one_is_not(store):
    rule = "{name: s, kind: silent, after_h: 2}"
    assert alarms_of(store, rule, START + 2 * HOUR) == []
    assert alarms_of(store, rule, START + 3 * HOUR) == [("gw-a", "", '{"silent_h": 3}')]
    assert alarms_of(store, "{name: s, kind: silent, meters: gw-b}", START + 9 * HOUR) == []


QUARTERS = [START + i * HOUR // 4 for i in range(4 * 26)]


def test_a_meter_that_stands_still_is_stuck_and_one_that_moves_is_not(store):
    take(store, [(at, 7, 5 if at < START + 25 * HOUR else 6) for at in QUARTERS])
    found = alarms_of(store, "{name: s, kind: stuck, hours: 24}", START + 26 * HOUR)
    assert found == [
        ("gw-a", "main", '{"point": "energy", "hours": 24}'),
        ("gw-a", "main", '{"point": "power", "hours": 24}'),
    ]
    rule = "{name: s, kind: stuck, hours: 24, meters: other}"
    assert alarms_of(store, rule, START + 26 * HOUR) == []
    assert alarms_of(store, "{name: s, kind: stuck, hours: 30}", START + 26 * HOUR) == []
    assert alarms_of(store, "{name: s, kind: stuck}", START + 90 * HOUR) == []  # stale news


def test_one_move_within_the_time_is_not_stuck(store):
    take(store, [(at, 7 + (at > START + 9 * HOUR), at % 7) for at in QUARTERS])
    rule = "{name: s, kind: stuck, point: energy, hours: 24}"
    assert alarms_of(store, rule, START + 26 * HOUR) == []


def test_water_that_never_stops_is_a_leak_and_a_night_without_is_not(store):
    take(store, [(at, i, 0) for i, at in enumerate(QUARTERS)])
    rule = "{name: l, kind: leak, point: energy, hours: 24, at_least: 40}"  # Wh; a step is 10 Wh
    found = alarms_of(store, rule, START + 26 * HOUR)
    assert found == [
        ("gw-a", "main", '{"point": "energy", "hours": 24, "least_per_hour": "40", "unit": "Wh"}')
    ]
    assert alarms_of(store, rule.replace("40", "50"), START + 26 * HOUR) == []


def test_a_gap_proves_no_leak(store):
    rows = [(at, i, 0) for i, at in enumerate(QUARTERS)]
    take(store, rows[:20] + rows[40:])  # five hours without a reading, the counter went on
    rule = "{name: l, kind: leak, point: energy, hours: 24, at_least: 1}"
    assert alarms_of(store, rule, START + 26 * HOUR) == []


@pytest.mark.parametrize(
    ("limit", "is_full"),
    [("at_least: 5", True), ("at_least: 5.1", False), ("at_least: 5, below: true", True)],
)
def test_a_container_is_nearly_full_by_its_newest_level(store, limit, is_full):
    take(store, [(START, 1, 90), (START + 1000, 1, 50)])  # the exponent is -1
    rule = "{name: f, kind: full, point: power, %s}" % limit
    assert bool(alarms_of(store, rule, START + HOUR)) is is_full


def test_tampering_is_found_behind_other_events_and_older_ones_are_not_read(store, mocker):
    mocker.patch("host_tools.collect.alarms._PAGE", 2)
    event = {"at_ms": START, "what": "lid_open", "meter": "main", "why": "contact"}
    store.take([record(EVENT, 1, event)])
    store.take([record(EVENT, seq, {**event, "what": "door"}) for seq in range(2, 7)])
    rule = "{name: t, kind: tamper, point: 'lid_*', hours: 2}"
    assert len(alarms_of(store, rule, START + HOUR)) == 1
    said = []
    sa.event.listen(store.engine, "before_cursor_execute", lambda *call: said.append(call[2]))
    assert alarms_of(store, rule, START + 5 * HOUR) == []
    assert len([words for words in said if "FROM event" in words]) == 1


def test_an_event_of_the_named_kind_is_tampering(store):
    event = {"at_ms": START, "what": "lid_open", "meter": "main", "why": "contact"}
    store.take([record(EVENT, 1, event)])
    found = alarms_of(store, "{name: t, kind: tamper, point: 'lid_*'}", START + HOUR)
    assert [(one[0], one[1]) for one in found] == [("gw-a", "main")]
    assert alarms_of(store, "{name: t, kind: tamper, point: 'magnet*'}", START + HOUR) == []
    assert alarms_of(store, "{name: t, kind: tamper, hours: 1}", START + 2 * HOUR) == []


# -- telling ---------------------------------------------------------------------------------

SILENT = parse_rules("alarms:\n - {name: silent, kind: silent, after_h: 2}").alarms


def test_an_alarm_is_told_when_it_opens_and_when_it_ends_and_only_then(store):
    with HTTPSink() as hook, MailSink() as mail:
        tell = [
            Tell(webhook=hook.url),
            Tell(
                mail_to="a@b.example", mail_from="c@d.example", server=mail.address, language="fr"
            ),
            Tell(names="leak*", webhook=hook.url + "other"),
        ]
        for hours in (3, 4, 5):
            watch(store.engine, SILENT, START + hours * HOUR)
            assert deliver(store.engine, tell, START + hours * HOUR) == []
        assert [(tree["state"], tree["rule"], tree["gateway"]) for tree in hook.trees] == [
            ("open", "silent", "gw-a")
        ]
        Store(store.engine, lambda: START + 6 * HOUR).take([birth()])
        watch(store.engine, SILENT, START + 6 * HOUR)
        deliver(store.engine, tell, START + 6 * HOUR)
        deliver(store.engine, tell, START + 6 * HOUR)
        assert [tree["state"] for tree in hook.trees] == ["open", "closed"]
        mails = [message_from_bytes(text, policy=policy.default) for text in mail.mails]
        assert [m["Subject"] for m in mails] == [
            "Alarme silent: gw-a",
            "Fin d'alarme silent: gw-a",
        ]
        assert "jusqu'à" in mails[1].get_content()


def test_who_refuses_is_told_again_and_who_took_it_is_not(store):
    watch(store.engine, SILENT, START + 3 * HOUR)
    with HTTPSink() as good, HTTPSink() as bad:
        bad.status = 503
        tell = [Tell(webhook=bad.url), Tell(webhook=good.url)]
        failures = deliver(store.engine, tell, START + 3 * HOUR)
        assert len(failures) == 1
        assert "503" in failures[0]
        bad.status = 200
        assert deliver(store.engine, tell, START + 4 * HOUR) == []
        assert (len(good.requests), len(bad.requests)) == (1, 1)


def test_a_turn_does_everything_and_one_collector_has_it(store, database_url):
    data = block([(START + i * DAY, [i, i], GOOD) for i in range(10)])
    store.take([record(BLOCK, 1, data)])
    given: list[int] = []

    def output():
        given.append(1)
        return 0

    with HTTPSink() as hook:
        rules = Rules((Keep("*", 3, 0),), SILENT, (Tell(webhook=hook.url),))
        keeper = Keeper(store.engine, rules, [output])
        assert keeper.turn(START + 10 * DAY)
        assert (len(hook.requests), given) == (1, [1])
        assert queries.stored(store.engine) == 4
        other = open_database(database_url)
        if other.dialect.name == "postgresql":
            with other.connect() as connection:
                connection.execute(sa.text("SELECT pg_advisory_lock(63117)"))
                assert not keeper.turn(START + 11 * DAY)
        other.dispose()
    with store.engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(tables.alarm)) == 1
