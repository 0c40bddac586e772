"""When a flash that failed is tried again."""

from agent.outage import Outage


def test_attempts_come_after_five_seconds_and_then_less_and_less_often():
    outage = Outage()
    now = 1000
    for wait_s in (5, 10, 20, 40, 80, 160, 300, 300):
        assert not outage.is_due(now)
        assert not outage.is_due(now + wait_s * 1000 - 1)
        now += wait_s * 1000
        assert outage.is_due(now) and outage.is_due(now + 1)
        outage.goes_on(now)
    outage.is_over()
    assert not outage.is_due(now) and not outage.is_due(now + 4999) and outage.is_due(now + 5000)
