"""The network's task on a simulated Pico: the first network that works is joined, and said."""

from agent.config import validate
from boards.esp32_poe import BOARD as POE
from boards.rpi_pico_w import BOARD as PICO
from tests.fakes import chip as fake

fake.Chip().install()
from firmware import link as link_module  # noqa: E402
from firmware.hal import chip as shared  # noqa: E402
from firmware.hal import esp32, rp2, uart  # noqa: E402
from firmware.link import Link  # noqa: E402

fake.uninstall()


class _App:
    sleep = None

    def __init__(self, network):
        self.config, self.problems = validate(
            {"gateway": "g", "board": "x", "ports": [], "meters": [], "network": network}
        )
        self.log = self
        self.said = []

    def info(self, who, text, *values):
        self.said.append(text % values)

    warn = error = info


def _link(module, board, network, **state):
    chip = fake.Chip()
    for name, value in state.items():
        setattr(chip, name, value)
    chip.patch(shared, uart, rp2, esp32)
    app = _App(network)
    assert app.problems == []
    hal = module.Hal(None, board)
    return chip, app, hal, Link(app, hal)


def test_the_first_network_that_works_is_joined():
    rows = [
        {"ssid": "gone", "key": "12345678"},
        {"ssid": "changed", "key": "12345678"},
        {"ssid": "depot", "key": "abcdefgh"},
    ]
    chip, app, hal, link = _link(
        rp2, PICO, {"wifi": rows}, networks={"changed": "other-key", "depot": "abcdefgh"}
    )
    wifi = hal.open_interface("wifi")
    wifi.start()
    for _ in range(6):
        assert not link.is_up and link.signal is None
        chip.time.now_us += link.step(wifi) * 1000
    assert chip.station.joined == "depot"
    chip.station.settle()
    link.step(wifi)
    assert link.is_up and link.signal == -61
    assert app.said[-1] == "depot: up"
    assert "gone: absent" in app.said and "changed: refused" in app.said
    count = len(app.said)
    for _ in range(20):
        chip.time.now_us += link.step(wifi) * 1000
    assert len(app.said) == count, "a steady state is said once"


def test_a_cable_is_preferred_and_needs_no_name():
    chip, app, hal, link = _link(esp32, POE, {})
    cable = hal.open_interface("ethernet")
    cable.start()
    chip.lan.plugged = fake.Network.ETH_GOT_IP
    link.step(cable)
    assert link.is_up and link.signal is None and app.said == ["ethernet: up"]


def test_without_an_interface_the_network_is_there():
    class Host:
        interfaces = ()

    assert Link(_App({}), Host()).is_up


def test_a_board_that_needs_wifi_and_names_none_is_not_up():
    assert not _link(rp2, PICO, {})[3].is_up


class _Asleep(Exception):
    """Ends a task at its first wait."""


def _first_wait(link, chip):
    """Run the task until it waits; return whether the radio was on then."""
    seen = []

    class Asyncio:
        @staticmethod
        async def sleep_ms(ms):
            seen.append(chip.station.is_active)
            raise _Asleep

    real, link_module.asyncio = link_module.asyncio, Asyncio
    try:
        link.keep().send(None)
    except _Asleep:
        pass
    finally:
        link_module.asyncio = real
    return seen


def test_a_task_that_ends_lets_the_radio_go_and_a_dark_wake_never_has_it():
    rows = [{"ssid": "depot", "key": "abcdefgh"}]
    chip, _, hal, link = _link(rp2, PICO, {"wifi": rows}, networks={"depot": "abcdefgh"})
    assert _first_wait(link, chip) == [True]
    assert not chip.station.is_active and not link.is_up
    link.switch_off()  # once more, by the loop that falls asleep

    class Wake:
        uplinks = False

    app = _App({"wifi": rows})
    app.sleep = Wake  # type: ignore[assignment]
    assert _first_wait(Link(app, hal), chip) == [False] and app.said == []
