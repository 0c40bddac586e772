"""Listening to a broker: the gateway that was asked for, and no other, or all of them."""

import queue

import paho.mqtt.client as mqtt
import pytest

from host_tools.cable.provision import Plan
from host_tools.problems import USAGE, Problem
from host_tools.remote.listener import address, listen
from host_tools.trust.permissions import SHOWS
from tests.fakes.broker_process import BrokerProcess

WAIT_S = 10


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with BrokerProcess("nats", tmp_path_factory.mktemp("broker")) as broker:
        yield broker.port


class Teller:
    """Whoever publishes in the name of gateways."""

    def __init__(self, port):
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def tell(self, gateway, leaf, payload=b"{}", retain=False):
        self._client.publish(f"eclor/1/{gateway}/{leaf}", payload, 1, retain).wait_for_publish(
            WAIT_S
        )

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def teller(port):
    made = Teller(port)
    yield made
    made.close()


def _heard(port, teller, asked):
    """Return (topic, payload, was kept) of what a listener hears of three gateways."""
    heard: queue.Queue = queue.Queue()
    close = listen(asked, "127.0.0.1", port, lambda *what: heard.put(what))
    try:
        # Its subscription stands once it hears the one that it was asked for.
        while heard.empty():
            teller.tell("gw-b", "will")
        for leaf in (*SHOWS, "cmd", "ack"):
            for gateway in ("gw-c", "gw-bb", "gw-b"):
                teller.tell(gateway, leaf)
        teller.tell("gw-b", "state", b"end")
        return list(iter(lambda: heard.get(timeout=WAIT_S), ("eclor/1/gw-b/state", b"end", False)))
    finally:
        close()


def test_one_gateway_is_heard_and_no_other(port, teller):
    teller.tell("gw-c", "birth", retain=True)
    found = _heard(port, teller, "gw-b")
    assert {topic for topic, _, _ in found} == {f"eclor/1/gw-b/{leaf}" for leaf in SHOWS}


def test_all_gateways_are_heard_and_nothing_that_is_told_to_them(port, teller):
    found = _heard(port, teller, "+")
    names = ("gw-b", "gw-bb", "gw-c")
    wanted = {f"eclor/1/{name}/{leaf}" for name in names for leaf in SHOWS}
    assert {topic for topic, _, _ in found} == wanted


def test_what_the_broker_had_kept_is_told_apart(port, teller):
    teller.tell("gw-b", "birth", b"old", retain=True)
    found = _heard(port, teller, "gw-b")
    assert ("eclor/1/gw-b/birth", b"old", True) in found
    assert ("eclor/1/gw-b/birth", b"{}", False) in found


@pytest.mark.parametrize(
    ("given", "uplink", "found"),
    [
        ("", {"host": "broker.example", "tls": True}, ("broker.example", 8883)),
        ("", {"host": "broker.example", "port": 99}, ("broker.example", 99)),
        ("10.0.0.9:1884", {"host": "broker.example"}, ("10.0.0.9", 1884)),
        (":1884", {}, ("127.0.0.1", 1884)),
    ],
)
def test_the_broker_is_the_one_given_or_that_of_the_settings(given, uplink, found, mocker):
    plan = mocker.Mock(spec=Plan, config={"uplink": uplink})
    assert address(plan, given) == found


@pytest.mark.parametrize("given", ["10.0.0.9", "broker.example:mqtt"])
def test_half_an_address_is_not_passed_over(given, mocker):
    with pytest.raises(Problem, match="is not HOST:PORT") as wrong:
        address(mocker.Mock(spec=Plan, config={}), given)
    assert wrong.value.code == USAGE
