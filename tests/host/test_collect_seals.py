"""What a keyed gateway did not sign is not believed; while a key is replaced both are."""

import pytest

from agent.mac import Mac
from host_tools.collect.messages import Message, Refused
from host_tools.collect.seals import Seals
from host_tools.collect.transaction import Ack

_NEW, _OLD = bytes(range(32)), bytes(range(1, 33))
_REC, _BIRTH = "eclor/1/gw/rec", "eclor/1/gw/birth"


def _signed(topic, key, payload=b"record", context=None):
    leaf = topic.rsplit("/", 1)[1]
    tag = Mac(key).tag(context or f"{leaf}gw".encode(), payload)
    return Message(topic, payload + tag)


def test_either_key_opens_and_the_newer_signs():
    seals = Seals({"gw": _NEW + _OLD})
    for key in (_NEW, _OLD):
        for topic in (_REC, _BIRTH):
            assert seals.opened(_signed(topic, key)) == Message(topic, b"record")
    numbers = (7).to_bytes(4, "big") + (9).to_bytes(4, "big")
    assert seals.ack_bytes(Ack("gw", 7, 9)) == numbers + Mac(_NEW).tag(b"ackgw", numbers)


@pytest.mark.parametrize(
    "message",
    [
        Message(_REC, b"record"),
        Message(_REC, b""),
        _signed(_REC, bytes(32)),
        _signed(_REC, _NEW, context=b"recgw2"),
        _signed(_REC, _NEW, context=b"birthgw"),
        Message(_BIRTH, _signed(_REC, _NEW).payload),
        Message(_BIRTH, b"{}"),
    ],
)
def test_what_the_key_did_not_sign_is_refused(message):
    opened = Seals({"gw": _NEW}).opened(message)
    with pytest.raises(Refused, match="not signed"):
        opened.address()
    assert opened.payload == message.payload  # kept as it came


def test_without_a_key_and_on_other_topics_nothing_is_asked():
    seals = Seals({"gw": _NEW})
    for message in (Message("eclor/1/gw2/rec", b"r"), Message("eclor/1/gw/state", b"{}")):
        assert seals.opened(message) == message
    assert seals.opened(Message("nonsense", b"x")) == Message("nonsense", b"x")
    assert len(seals.ack_bytes(Ack("gw2", 7, 9))) == 8
