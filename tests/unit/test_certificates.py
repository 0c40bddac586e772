"""New certificates on trial: an acknowledgement decides, nobody is locked out."""

import json
from binascii import b2a_base64

from agent.certificates import Certificates, is_der
from agent.commands import CannotDo
from tests.fakes.memory_ground import MemoryGround

OLD = {"ca": "/ca.der", "cert": "/gw.der", "cert_key": "/gw.key", "host": "h"}
NEW = b"\x30\x82\x00\x03new"


def _make(ground=None, settings=OLD):
    events = []
    ground = ground or MemoryGround()
    return Certificates(ground, lambda what, why: events.append(what), settings), events


def _stage(certificates, part="ca", data=NEW):
    return certificates.order({"part": part, "der": b2a_base64(data).decode()})


def _refused(certificates, args):
    try:
        certificates.order(args)
    except CannotDo as error:
        return str(error)
    raise AssertionError(args)


def test_without_a_trial_the_configuration_serves():
    certificates, _ = _make()
    assert certificates.choose(OLD, 0) == OLD
    _stage(certificates)
    assert certificates.choose(OLD, 0) == OLD and not certificates.is_on_trial


def test_new_certificates_stay_when_the_collector_acknowledges_under_them():
    ground = MemoryGround()
    certificates, events = _make(ground)
    _stage(certificates)
    _stage(certificates, "cert")
    assert certificates.order({"try": True}) == {"trial": ["ca", "cert"]}
    chosen = certificates.choose(OLD, 10)
    assert chosen["ca"].endswith("/ca.a") and chosen["cert"].endswith("/cert.a")
    assert chosen["cert_key"] == "/gw.key"
    certificates.step(10)
    assert certificates.is_on_trial
    certificates.step(11)
    assert not certificates.is_on_trial and events == ["certificates_changed"]
    again, _ = _make(ground.cut())
    assert again.choose(OLD, 0)["ca"].endswith("/ca.a")
    _stage(again)  # the next ones never overwrite those in use
    again.order({"try": True})
    assert again.choose(OLD, 0)["ca"].endswith("/ca.b")


def test_a_configuration_that_names_other_files_is_not_overruled():
    ground = MemoryGround()
    certificates, _ = _make(ground)
    _stage(certificates)
    certificates.order({"try": True})
    certificates.choose(OLD, 10)
    certificates.step(11)
    for part in ("ca", "cert"):
        other = dict(OLD)
        other[part] = "/of-a-technician.der"
        assert _make(ground.cut(), other)[0].choose(other, 0) == other
    assert _make(ground.cut())[0].choose(OLD, 0)["ca"].endswith("/ca.a")


def test_wrong_ones_take_turns_with_the_present_and_go():
    certificates, events = _make()
    _stage(certificates)
    certificates.order({"try": True})
    used = []
    for _ in range(6):
        used.append(certificates.choose(OLD, 10)["ca"])
        certificates.step(10)
    assert [path.endswith("/ca.a") for path in used] == [True, False] * 3
    certificates.step(11)
    assert not certificates.is_on_trial and events == ["certificates_refused"]
    assert certificates.choose(OLD, 11) == OLD


def test_the_present_ones_working_does_not_end_a_young_trial():
    certificates, events = _make()
    _stage(certificates)
    certificates.order({"try": True})
    acked = 10
    for _ in range(2):
        certificates.choose(OLD, acked)  # the new ones: the network is down
        certificates.choose(OLD, acked)
        acked += 5
        certificates.step(acked)
    assert certificates.is_on_trial and events == []
    certificates.choose(OLD, acked)
    certificates.step(acked + 1)
    assert events == ["certificates_changed"]


def test_a_restart_goes_on_with_the_trial():
    ground = MemoryGround()
    certificates, _ = _make(ground)
    _stage(certificates)
    certificates.order({"try": True})
    again, events = _make(ground.cut())
    assert again.is_on_trial and again.choose(OLD, 0)["ca"].endswith("/ca.a")
    again.step(1)
    assert events == ["certificates_changed"]


def test_wrong_ones_go_also_where_each_life_has_time_for_one_handshake():
    ground = MemoryGround()
    certificates, _ = _make(ground)
    _stage(certificates)
    certificates.order({"try": True})
    used = []
    for _ in range(5):
        ground = ground.cut()
        certificates, events = _make(ground)
        used.append(certificates.choose(OLD, 10)["ca"].endswith("/ca.a"))
        certificates.step(10)
        assert certificates.is_on_trial
    assert used == [True] * 3 + [False] * 2
    certificates.step(11)
    assert not certificates.is_on_trial and events == ["certificates_refused"]
    assert _make(ground.cut())[0].choose(OLD, 11) == OLD


def test_a_trial_of_many_years_without_an_answer_writes_three_times():
    ground = MemoryGround()
    certificates, _ = _make(ground)
    _stage(certificates)
    certificates.order({"try": True})
    before = ground.writes
    for _ in range(100):
        certificates.choose(OLD, 10)
        certificates.step(10)
    assert ground.writes - before == 6  # begin and commit
    lives = [_make(ground.cut())[0] for _ in range(2)]
    assert [life.choose(OLD, 10)["ca"] for life in lives] == [OLD["ca"]] * 2
    assert lives[0].choose(OLD, 10)["ca"].endswith("/ca.a"), "and it is their turn again"


def test_a_choice_is_kept_so_that_an_older_firmware_reads_it():
    ground = MemoryGround()
    certificates, _ = _make(ground)
    _stage(certificates)
    certificates.order({"try": True})
    certificates.choose(OLD, 10)
    now, trial, _ = json.loads(ground.slots["certificates"])
    assert now == {} and trial == {"ca": "ca.a", "failed": 1}
    certificates.step(11)
    assert json.loads(ground.slots["certificates"])[:2] == [{"ca": "ca.a"}, {}]
    kept = ground.slots["certificates"].replace(b"{}", b'{"cert": "cert.a"}')
    ground.slots["certificates"] = kept  # and the other way round: by one that did not count
    again, _ = _make(ground)
    assert again.is_on_trial and again.choose(OLD, 0)["cert"].endswith("/cert.a")


def test_nonsense_is_refused_and_changes_nothing():
    certificates, _ = _make()
    assert "nothing is staged" in _refused(certificates, {"try": True})
    for args in (
        {},
        {"part": "key", "der": ""},
        {"part": "ca"},
        {"part": "ca", "der": 7},
        {"part": "ca", "der": "!!"},
        {"part": "ca", "der": b2a_base64(NEW + b"x").decode()},
        {"part": "../config.json", "der": b2a_base64(NEW).decode()},
    ):
        _refused(certificates, args)
    _stage(certificates)
    certificates.order({"try": True})
    assert "under way" in _refused(certificates, {"part": "ca", "der": b2a_base64(NEW).decode()})
    assert certificates.order({"drop": True}) == {"staged": []}
    assert certificates.choose(OLD, 0) == OLD
    assert "no place" in _refused(Certificates(None, None, OLD), {"try": True})


def test_a_damaged_choice_leaves_the_configuration():
    for data in (b"{", b"[1, 2]", b'[{"ca": "../x"}, {}]', b"[]", b"7"):
        ground = MemoryGround()
        ground.begin("certificates")
        ground.put(data, 0, len(data))
        ground.commit()
        assert _make(ground)[0].choose(OLD, 0) == OLD, data


def test_a_flash_that_cannot_be_written_is_said_to_the_sender():
    ground = MemoryGround()
    certificates, _ = _make(ground)
    ground.fail = 100
    assert "cannot be kept" in _refused(
        certificates, {"part": "ca", "der": b2a_base64(NEW).decode()}
    )


def test_der_is_told_from_what_is_none():
    assert is_der(NEW)
    for wrong in (b"", NEW[:-1], b"\x31" + NEW[1:], b"\x30\x03abc"):
        assert not is_der(wrong)
