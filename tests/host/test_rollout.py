"""A rollout goes in waves, stops when one fails, and goes on where it was."""

import json
from itertools import chain

import pytest

from host_tools import language
from host_tools.commands import rollout as verb
from host_tools.packing import bundle
from host_tools.problems import Problem
from host_tools.remote.rollout import CONFIRMED, DONE, FAILED, GOING, STOPPED, Rollout
from host_tools.remote.serve_bundle import Heard

DATA = bundle.pack({"a.mpy": b"x"}, "2.0", 2, ["host"])
NAMES = [f"gw-{i:02}" for i in range(20)]


class Fleet:
    """Gateways that take what they are offered; bad: name -> what goes wrong."""

    def __init__(self, names=NAMES, bad=None):
        self.bad = bad or {}
        self.boots: dict[str, int] = {}
        self.heard = {name: Heard() for name in names}
        for name in names:
            self.says(name, "1.0", 3)
        self.now_s = 0.0

    def says(self, name, version, meters, update=None):
        heard = self.heard[name]
        heard.birth = {"version": version, "boot": self.boots.get(name, 1)}
        heard.states_at_birth = heard.states
        heard.state = {"meters": [{"state": "ok"}] * meters, "update": update}
        heard.states += 1

    def take(self, name):
        how = self.bad.get(name, "")
        if how == "refuses":
            self.heard[name].answer = {"ok": False, "why": "is not for this board"}
        elif how == "crashes":  # and is back before anybody heard its name
            self.heard[name].answer = {"ok": True}
            self.boots[name] = 5
            self.says(name, "1.0", 3)
        elif how == "spoils":
            self.heard[name].answer = {"ok": True}
            self.says(name, "1.0", 3, {"phase": "idle", "why": "the slot ends early"})
        elif how == "cut":  # in the fetch, which goes on after the restart
            self.heard[name].answer = {"ok": True}
            self.boots[name] = 6
            self.says(name, "1.0", 3, {"phase": "content"})
            self.bad[name] = ""
        elif how.startswith("old"):  # it took the offer, and was cut before it answered
            self.heard[name].answer = {"ok": False, "why": "old"}
            if how == "old once":
                self.bad[name] = ""
        elif how != "silent":
            self.heard[name].answer = {"ok": True}
            self.says(name, "2.0", 3, {"trial": "settling"})

    def settle(self, name):
        how = self.bad.get(name, "")
        if self.heard[name].birth.get("version") == "2.0":
            version = "1.0" if how == "goes back" else "2.0"
            self.says(name, version, 1 if how == "loses meters" else 3)

    def run(self, rollout, steps=20):
        """Live; return the offers of each step that made any."""
        waves = []
        for _ in range(steps):
            offers = rollout.step(self.heard, self.now_s)
            if offers:
                waves.append(offers)
            for name in self.heard:
                self.settle(name)
            for name in offers:
                self.take(name)
            self.now_s += 600
        return waves


def test_a_fleet_is_done_in_waves_of_the_shares_that_were_asked():
    rollout = Rollout(DATA, NAMES, [5, 25, 100])
    waves = Fleet().run(rollout)
    assert [len(wave) for wave in waves] == [1, 4, 15]
    assert sorted(chain(*waves)) == NAMES and rollout.state == DONE


def test_a_small_fleet_begins_with_one_and_who_it_is_changes_with_the_release():
    other = bundle.pack({"a.mpy": b"y"}, "2.1", 3, ["host"])
    first = [Rollout(data, NAMES, [1, 100]).members[0].gateway for data in (DATA, other)]
    assert len(set(first)) == 2
    assert [m.wave for m in Rollout(DATA, ["a", "b"], [5, 100]).members] == [0, 1]


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("refuses", "is not for this board"),
        ("goes back", "it went back to 1.0"),
        ("crashes", "it went back to 1.0"),
        ("spoils", "the slot ends early"),
        ("loses meters", "1 of 3 meters answer"),
        ("silent", "not confirmed within 1 h"),
    ],
)
def test_one_failure_in_the_first_wave_stops_all(how, why):
    first = Rollout(DATA, NAMES, [5, 100]).members[0].gateway
    rollout = Rollout(DATA, NAMES, [5, 100], limit_s=3600)
    waves = Fleet(bad={first: how}).run(rollout)
    assert waves == [[first]] and rollout.state == STOPPED
    assert why in rollout.why and first in rollout.why


def test_some_may_fail_where_that_was_allowed():
    names = [m.gateway for m in Rollout(DATA, NAMES, [50, 100]).members]
    bad = {names[0]: "goes back"}
    rollout = Rollout(DATA, NAMES, [50, 100], bad_percent=10)
    Fleet(bad=bad).run(rollout)
    assert rollout.state == DONE
    assert [m.status for m in rollout.members].count(FAILED) == 1
    bad[names[1]] = "refuses"
    rollout = Rollout(DATA, NAMES, [50, 100], bad_percent=10)
    waves = Fleet(bad=bad).run(rollout)
    assert rollout.state == STOPPED and len(waves) == 1


def test_what_became_of_each_is_said_in_words(monkeypatch):
    monkeypatch.setitem(language._state, "language", "fr")
    first, second = Rollout(DATA, NAMES, [10, 100]).members[:2]
    rollout = Rollout(DATA, NAMES, [10, 100])
    rollout.members[0].status, rollout.members[0].why = FAILED, "old"
    rollout.members[1].status = CONFIRMED
    rows = [
        {"wave": 1, "gateway": m.gateway, "status": m.status, "why": m.why}
        for m in rollout.members
    ]
    assert verb._words(rows[0]) == (
        f"vague 1  {first.gateway:20} a échoué : elle a déjà reçu un ordre plus récent :"
        " l'horloge de cet ordinateur est-elle juste ?"
    )
    assert verb._words(rows[1]).endswith(f"{second.gateway:20} tourne pour de bon")
    rows[0]["why"] = "1 of 3 meters answer"
    assert "1 compteurs sur 3 répondent" in verb._words(rows[0])
    assert (
        verb._last_words(rollout)
        == "arrêté : 1 sur 2 de la vague 1 ont échoué, comme dit plus haut"
    )
    for member in rollout.members:
        member.status = CONFIRMED
    assert verb._last_words(rollout) == "terminé : chaque passerelle exécute 2.0"


def test_one_that_has_had_the_order_is_offered_it_anew_three_times_in_all():
    fleet = Fleet(["a"], {"a": "old once"})
    rollout = Rollout(DATA, ["a"], [100])
    assert fleet.run(rollout) == [["a"], ["a"]] and rollout.state == DONE
    fleet = Fleet(["a"], {"a": "old for ever"})
    rollout = Rollout(DATA, ["a"], [100])
    assert fleet.run(rollout) == [["a"]] * 3 and rollout.why.endswith("a: old")


def test_who_is_not_there_is_waited_for_and_who_has_it_already_is_not_offered_it():
    fleet = Fleet(["a", "b"])
    fleet.heard["a"].birth = {}
    fleet.says("b", "2.0", 3)
    rollout = Rollout(DATA, ["a", "b"], [100])
    assert fleet.run(rollout, 5) == [] and rollout.state == GOING
    fleet.says("a", "1.0", 3)
    assert fleet.run(rollout, 5) == [["a"]] and rollout.state == DONE


def test_nobody_is_offered_it_before_it_said_how_it_is():
    fleet = Fleet(["a"])
    fleet.heard["a"].states = 0
    rollout = Rollout(DATA, ["a"], [100])
    assert rollout.step(fleet.heard, 0) == []
    fleet.says("a", "1.0", 3)
    assert rollout.step(fleet.heard, 1) == ["a"] and rollout.members[0].meters_before == 3


def test_a_power_cut_in_the_fetch_is_no_failure():
    fleet = Fleet(["a"], {"a": "cut"})
    rollout = Rollout(DATA, ["a"], [100], limit_s=36_000)
    fleet.run(rollout, 5)
    assert rollout.state == GOING and rollout.members[0].status == "offered"
    fleet.says("a", "2.0", 3)
    fleet.run(rollout, 5)
    assert rollout.state == DONE


def test_it_goes_on_where_it_was(tmp_path):
    kept = tmp_path / "rollout.json"
    fleet = Fleet()
    first = Rollout(DATA, NAMES, [5, 25, 100], kept)
    fleet.run(first, 4)
    done = {m.gateway for m in first.members if m.status == CONFIRMED}
    assert done and first.state == GOING
    again = Rollout(DATA, NAMES, [5, 25, 100], kept)
    assert {m.gateway for m in again.members if m.status == CONFIRMED} == done
    waves = fleet.run(again)
    assert again.state == DONE and not done & set(chain(*waves))


def test_after_a_stop_it_begins_again_with_those_that_failed(tmp_path):
    kept = tmp_path / "rollout.json"
    name = Rollout(DATA, NAMES, [5, 100]).members[0].gateway
    fleet = Fleet(bad={name: "goes back"})
    fleet.run(Rollout(DATA, NAMES, [5, 100], kept))
    fleet.bad.clear()
    again = Rollout(DATA, NAMES, [5, 100], kept)
    assert fleet.run(again)[0] == [name] and again.state == DONE


def test_a_state_of_another_bundle_or_of_nothing_is_a_problem(tmp_path):
    kept = tmp_path / "rollout.json"
    for text in ("", "{}", json.dumps({"bundle": "other", "members": []})):
        kept.write_text(text)
        with pytest.raises(Problem):
            Rollout(DATA, NAMES, [100], kept)


@pytest.mark.parametrize("waves", [[], [50], [50, 20, 100], [0, 100], [5, 5, 100], [101]])
def test_shares_that_make_no_sense_are_a_problem(waves):
    with pytest.raises(Problem, match="rising percentages"):
        Rollout(DATA, NAMES, waves)
