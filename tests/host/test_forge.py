"""20,000 forgeries, none accepted; `make forge N=1000000` for a release."""

from tests.forge import Forger


def test_no_forgery_is_accepted():
    forger = Forger(9)
    for _ in range(20_000):
        forger.one()
    assert forger.accepted == []
    assert min(forger.tried.values()) > 2_000 and len(forger.tried) == 5


def test_a_check_that_is_gone_is_noticed(mocker):
    mocker.patch("agent.update.is_signed", return_value=True)
    mocker.patch("agent.mac.Mac.check", return_value=True)
    forger = Forger(9)
    for _ in range(300):
        forger.one()
    assert {text.split(":")[0] for text in forger.accepted} >= {"offer", "piece"}
