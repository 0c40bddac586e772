"""Several networks are tried in turn, a lost one first; a dead radio is switched off and on."""

from agent.interface import JOIN_MS, Interface
from drivers.ticks import ticks_add

A, B = {"ssid": "a"}, {"ssid": "b"}
START = (1 << 30) - 30_000  # across the wrap of the ticks


def _run(policy, seconds, look, now=START):
    """Step for some seconds; return (now, what was asked, with its second)."""
    asked = []
    waited = 0
    while waited < seconds * 1000:
        wait = policy.step(now, *look(policy, waited))
        if policy.action:
            what = policy.network["ssid"] if policy.action == policy.JOIN else "restart"
            asked.append((waited // 1000, what))
        assert 0 < wait <= 500
        now = ticks_add(now, wait)
        waited += wait
    return now, asked


def test_each_network_gets_its_time_and_then_there_is_a_pause():
    policy = Interface([A, B], lambda n: n - 1)
    _, asked = _run(policy, 130, lambda p, t: (False, False))
    assert asked[:5] == [(0, "a"), (20, "b"), (41, "a"), (61, "b"), (83, "a")]
    assert JOIN_MS == 20_000 and policy.joins == 0


def test_a_refused_network_costs_no_time():
    policy = Interface([A, B], lambda n: n - 1)
    _, asked = _run(policy, 30, lambda p, t: (False, p.network is A and t > 0))
    assert asked[:2] == [(0, "a"), (0, "b")]


def test_what_is_up_stays_and_a_short_loss_is_waited_out():
    policy = Interface([A, B], lambda n: n - 1)
    _, asked = _run(policy, 100, lambda p, t: (t > 2000 and not 50_000 < t < 55_000, False))
    assert asked == [(0, "a")] and policy.is_up and policy.joins == 1


def test_a_lost_network_is_joined_again_first():
    policy = Interface([A, B], lambda n: n - 1)
    now, asked = _run(
        policy, 60, lambda p, t: (p.network is B and t > 25_000, p.network is A and t > 0)
    )
    assert asked[-1][1] == "b" and policy.is_up
    now, asked = _run(policy, 15, lambda p, t: (False, False), now)
    assert [what for _, what in asked] == ["b"] and 9 <= asked[0][0] <= 10
    assert not policy.is_up


def test_a_radio_that_reaches_nothing_is_switched_off_and_on():
    policy = Interface([A], lambda n: 0)
    _, asked = _run(policy, 200, lambda p, t: (False, False))
    words = [what for _, what in asked]
    assert words[:5] == ["a", "a", "a", "a", "restart"] and words.count("restart") == 2


def test_the_pause_grows_to_its_cap_and_is_forgotten_after_a_stable_time():
    policy = Interface([A], lambda n: n - 1)
    now, asked = _run(policy, 4000, lambda p, t: (False, t > 0))
    joins = [second for second, what in asked if what == "a"]
    pauses = [joins[i + 1] - joins[i] for i in range(len(joins) - 1)]
    assert max(pauses) <= 302 and pauses[-1] >= 300
    now, _ = _run(policy, 400, lambda p, t: (True, False), now)
    _, asked = _run(policy, 30, lambda p, t: (False, t > 15_000), now)
    assert len(asked) > 2, "it begins with short pauses again"
