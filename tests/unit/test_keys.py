"""The next key on trial: both are good until one is used, a restart keeps the choice."""

from agent.commands import CannotDo
from agent.keys import Keys, following, name_of
from agent.mac import Mac
from tests.fakes.memory_ground import MemoryGround

KEY = bytes(range(32))
NONCE = bytes(range(100, 132))
NEXT = following(KEY, "gw", NONCE)


def _make(ground=None, key=KEY):
    events = []
    return Keys("gw", key, ground, lambda what, why: events.append((what, why))), events


def _is_good(keys, key, body=b"12345678"):
    data = body + Mac(key).tag(b"ackgw", body)
    return keys.check(b"ackgw", data, 0, len(data))


def _refused(keys, args):
    try:
        keys.order(args)
    except CannotDo as error:
        return str(error)
    raise AssertionError(args)


def _begin(keys):
    return keys.order({"nonce": "".join(["%02x" % b for b in NONCE])})


def test_the_next_key_is_one_of_this_gateway_and_of_this_number():
    assert len({NEXT, KEY, following(KEY, "gw2", NONCE), following(KEY, "gw", KEY)}) == 4
    assert len(NEXT) == 32 and name_of(NEXT) != name_of(KEY) and len(name_of(KEY)) == 8


def test_without_a_trial_only_the_provisioned_key_is_good():
    keys, _ = _make(MemoryGround())
    assert _is_good(keys, KEY) and not _is_good(keys, NEXT) and keys.trial == ""


def test_on_trial_both_are_good_until_the_next_one_is_used():
    ground = MemoryGround()
    keys, events = _make(ground)
    assert _begin(keys) == {"trial": name_of(NEXT)}
    assert _is_good(keys, KEY) and events == []
    assert "under way" in _refused(keys, {"nonce": "00" * 32})
    assert not _is_good(keys, bytes(32))
    assert _is_good(keys, NEXT) and events == [("key_changed", name_of(NEXT))]
    assert not _is_good(keys, KEY) and _is_good(keys, NEXT) and keys.trial == ""
    again, _ = _make(ground.cut())
    assert _is_good(again, NEXT) and not _is_good(again, KEY)


def test_a_restart_goes_on_with_the_trial_and_a_drop_ends_it():
    ground = MemoryGround()
    _begin(_make(ground)[0])
    keys, _ = _make(ground.cut())
    assert keys.trial == name_of(NEXT) and _is_good(keys, KEY)
    assert keys.order({"drop": True}) == {"trial": ""}
    assert not _is_good(keys, NEXT) and _is_good(keys, KEY)


def test_another_provisioned_key_makes_the_derived_one_void():
    ground = MemoryGround()
    keys, _ = _make(ground)
    _begin(keys)
    assert _is_good(keys, NEXT)
    other = bytes(32)
    keys, _ = _make(ground.cut(), other)
    assert _is_good(keys, other) and not _is_good(keys, NEXT)


def test_nonsense_is_refused_and_changes_nothing():
    keys, _ = _make(MemoryGround())
    for args in ({}, {"nonce": 7}, {"nonce": "zz"}, {"nonce": "00" * 31}, {"drop": 1}):
        assert "nonce" in _refused(keys, args)
    assert keys.trial == ""
    assert "no place" in _refused(_make()[0], {"drop": True})


def test_a_damaged_choice_leaves_the_provisioned_key():
    for data in (b"[", b"7", b"[1, 2, 3]", b'["%s", "00", ""]' % name_of(KEY).encode(), b"[]"):
        ground = MemoryGround()
        ground.begin("key")
        ground.put(data, 0, len(data))
        ground.commit()
        assert _is_good(_make(ground)[0], KEY), data


def test_a_flash_that_fails_changes_no_key():
    ground = MemoryGround()
    keys, events = _make(ground)
    ground.fail = 1
    assert "cannot be kept" in _refused(keys, {"nonce": "00" * 32})
    _begin(keys)
    ground.fail = 1
    assert _is_good(keys, NEXT) and _is_good(keys, KEY) and events == []
    assert _is_good(keys, NEXT) and events and not _is_good(keys, KEY)
