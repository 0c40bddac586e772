"""The hal's modem on a simulated chip: it dials, hands the line to PPP, hangs up, says why not."""

from boards.esp32_poe import BOARD
from tests.fakes import chip as fake
from tests.fakes.modem import FakeModem

fake.Chip().install()
from firmware import hal as contract  # noqa: E402
from firmware.hal import esp32  # noqa: E402
from firmware.hal import ppp as ppp_  # noqa: E402

fake.uninstall()


class _Uart:
    stream = "the UART itself"

    def __init__(self, modem):
        self._modem = modem
        self._out = b""
        self.lines = []

    def configure(self, line):
        self.lines.append(line)

    def write(self, data, count):
        self._out += self._modem.take(bytes(data[:count]))

    def readinto(self, buffer):
        count = min(len(buffer), len(self._out))
        buffer[:count] = self._out[:count]
        self._out = self._out[count:]
        return count


ROW = {"uart": "uart2", "apn": "iot.example", "auth": "none", "user": "", "password": ""}


class _PPP:
    SEC_PAP = 1
    SEC_CHAP = 2
    made = []

    def __init__(self, stream):
        self.stream = stream
        self.calls = []
        self.is_up = False
        _PPP.made.append(self)

    def active(self, on):
        self.calls.append(("active", on))

    def connect(self, **login):
        self.calls.append(login or "connect")

    def isconnected(self):
        return self.is_up


class _Network:
    PPP = _PPP


def _dial(modem, looks=400, **changes):
    now = [0]
    uart = _Uart(modem)
    ppp_.network = _Network
    del _PPP.made[:]

    def ticks_ms():
        now[0] += 500
        return now[0]

    interface = ppp_.Ppp(lambda name: uart, ticks_ms)
    interface.start()
    assert interface.state == contract.DOWN
    interface.join(dict(ROW, **changes))
    states = []
    while looks and (not states or states[-1] == contract.JOINING) and not _PPP.made:
        states.append(interface.state)
        looks -= 1
    return interface, uart, states


def test_a_modem_that_connects_hands_its_line_to_ppp():
    interface, uart, _ = _dial(FakeModem())
    assert uart.lines == [(115200, 8, "N", 1)] and interface.signal() == -79
    made = _PPP.made[0]
    assert made.stream == "the UART itself" and made.calls == [("active", True), "connect"]
    assert interface.state == contract.JOINING
    made.is_up = True
    assert interface.state == contract.UP
    interface.stop()
    assert made.calls[-1] == ("active", False) and interface.state == contract.DOWN
    interface.join(ROW)
    assert interface.state == contract.JOINING and len(uart.lines) == 1


def test_a_name_and_password_go_as_the_operator_wants_them():
    for auth, code in (("pap", 1), ("chap", 2)):
        _dial(FakeModem(), auth=auth, user="orange", password="secret")
        told = {"user": "orange", "key": "secret", "security": code}
        assert _PPP.made[0].calls == [("active", True), told]
    _dial(FakeModem(), user="forgotten")  # none: whatever else stands there is not sent
    assert _PPP.made[0].calls[-1] == "connect"


def test_why_it_does_not_is_said():
    modem = FakeModem()
    modem.wrong["AT+CPIN?"] = b"\r\n+CPIN: SIM PIN\r\n"
    interface, _, states = _dial(modem)
    assert states[-1] == contract.REFUSED and "PIN" in interface.why
    modem = FakeModem()
    modem.deaf = 1000
    interface, _, states = _dial(modem)
    assert states[-1] == contract.DOWN and "no answer" in interface.why


def test_a_port_without_ppp_says_so():
    chip = fake.Chip()
    from firmware.hal import chip as shared
    from firmware.hal import uart

    chip.patch(shared, uart, esp32)
    try:
        esp32.Hal(None, BOARD).open_interface("ppp")
    except OSError:
        return
    raise AssertionError("an interface from nowhere")
