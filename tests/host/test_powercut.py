"""Which results of `make powercut` outlive a change of the sources."""

import importlib
import json
from typing import Any

# By its name: what it explores is for two runtimes, and not for the type checker of the host.
powercut: Any = importlib.import_module("tests.powercut")
Total, kind_of = powercut.Total, powercut.kind_of
_KINDS = {"files-esp32": "journal", "keys/32": "change", "good update": "update"}
_COUNTS: Any = (1, 2, 3, 4, {}, "")


def test_each_world_is_explored_by_what_it_imports():
    for world, kind in _KINDS.items():
        assert kind_of(world) == kind
    names = {kind: {p.as_posix() for p in powercut.sources(kind)} for kind in _KINDS.values()}
    assert all("agent/store.py" in found for found in names.values())
    assert "agent/ring.py" in names["journal"] and "agent/app.py" not in names["journal"]
    assert "agent/settings.py" in names["change"] and "firmware/boot.py" in names["update"]
    everything = set().union(*names.values())
    assert not any("years" in name for name in everything), "another simulator's"


def test_a_share_is_kept_for_as_long_as_its_own_sources_are_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(powercut, "STATE", tmp_path / "powercut.json")
    total = Total(again=False)
    for world in _KINDS:
        total.add(("cpython", world, 1, 8, 3), _COUNTS)
    assert Total(again=False).cuts == 15 and Total(again=True).cuts == 0
    real = powercut.digest
    monkeypatch.setattr(powercut, "digest", lambda kind: real(kind) + kind.replace("change", ""))
    assert list(Total(again=False).done) == ["cpython/keys/32/1/8/3"]
    kept = json.loads(powercut.STATE.read_text())
    powercut.STATE.write_text(json.dumps({"digest": "of old", "shares": kept["shares"]}))
    assert Total(again=False).cuts == 0
