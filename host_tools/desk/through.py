"""A wire to meters that is not the laptop's own: the RS-485 port of the gateway beside it.

    wire = open_through("/dev/ttyACM0", (9600, 8, "N", 1), "uart1")
    wire.write(request); wire.read(0.02)
    wire.close()                             # the gateway starts again

The gateway stands still meanwhile (maintenance), and its own UART driver moves the bytes, with
the pin that turns its transceiver; a few lines of script at its prompt carry them. So a reader or
a scan here sees what the gateway would see, on its terminals and behind its cable.
"""

import ast
import base64

from drivers.errors import LinkDown
from host_tools.cable.prompt import BoardError, Prompt
from host_tools.cable.provision import open_gateway
from host_tools.desk.wires import Line
from host_tools.planning.site_rules import board as board_of
from host_tools.planning.site_rules import board_names
from host_tools.problems import DEVICE, INPUT, USAGE, Problem

_ANSWER_BYTES = 1500  # what one look brings at most
_GAP_CHARS = 4  # silence that ends a look: 3.5 characters are a frame's end (Modbus)

# Runs on the gateway, under its own firmware's modules.
_SCRIPT = """
import boot,time
from firmware import hal as _m
_y=__import__('boards.{board}',None,None,('BOARD',)).BOARD
_u=_m.make(boot.Chip(),_y).open_uart('{uart}')
_o=bytearray(512)
_e=0
def _tx(t):
 global _e
 d=_a(t);_u.write(d,len(d))
 while 1:
  n=_u.sending()
  if not n:break
  time.sleep_us(n)
 _e=time.ticks_us()
def _rx(w,g):
 t=time.ticks_ms();o=b'';s=-1
 while len(o)<{most}:
  n=_u.readinto(_o)
  if n:
   if not o:s=time.ticks_diff(time.ticks_us(),_e)
   o+=_o[:n];t=time.ticks_ms();w=g
  elif time.ticks_diff(time.ticks_ms(),t)>=w:break
  else:time.sleep_ms(1)
 print(_b(o),s)
"""


class GatewayWire:
    """A UART of a gateway; host_tools/desk/wires.Wire."""

    def __init__(self, prompt: Prompt, uart: str, line: Line) -> None:
        """prompt: opened, the script runs there; it is closed with the wire."""
        self.name = f"{prompt.port} {uart}"
        self._prompt = prompt
        self._gap_ms = 5
        self._awaits = False
        self.delays_ms: list[float] = []  # from the end of a request to its answer's first byte
        self.strays = 0  # bytes that came while nothing was asked
        self.configure(line)

    def configure(self, line: Line) -> None:
        """Set the UART; what was received before is lost."""
        baud, bits, parity, stop = line
        self._gap_ms = max(5, _GAP_CHARS * 11_000 // baud + 1)
        self._do(f"_u.configure({(baud, bits, parity, stop)!r})")

    def write(self, data: bytes) -> None:
        """Send data; return when the last stop bit has left."""
        self._do(f"_tx({base64.b64encode(data).decode()!r})")
        self._awaits = True

    def read(self, wait_s: float) -> bytes:
        """Return what came within wait_s, a whole frame where one came."""
        text, _, after_us = (
            self._do(f"_rx({max(0, round(wait_s * 1000))},{self._gap_ms})").strip().rpartition(" ")
        )
        data = base64.b64decode(ast.literal_eval(text))
        if data and self._awaits:
            self._awaits = False
            self.delays_ms.append(int(after_us) / 1000)
        return data

    def listen(self, wait_s: float) -> None:
        """Count what comes while nobody is asked."""
        self.strays += len(self.read(wait_s))

    def close(self) -> None:
        """Let the gateway start again."""
        self._prompt.reset()

    def _do(self, script: str) -> str:
        try:
            return self._prompt.run(script)
        except Problem as problem:
            raise LinkDown(f"{self.name}: {problem.what}") from None


def open_through(
    port: str, line: Line, uart: str = "", board: str = "", via: str = "gateway"
) -> GatewayWire:
    """Stop a gateway and open one of its UARTs; "": its first one, its own board.

    A Problem when it has no firmware, or no such UART.
    """
    if via != "gateway" or not port:
        raise Problem(
            "--via knows the word gateway, and goes with --port",
            "give --via gateway --port DEVICE, the cable of the gateway",
            code=USAGE,
        )
    prompt = Prompt(port)
    prompt.open()
    try:
        name = board or str(open_gateway(prompt)["board"])
        if name not in board_names():
            raise Problem(
                f"{port} does not know which board it is", "say it by --board", code=INPUT
            )
        uarts = list(board_of(name)["uarts"])
        chosen = uart or uarts[0]
        if chosen not in uarts:
            raise Problem(
                f"the board {name} has no UART {chosen}",
                f"give --uart, one of {', '.join(uarts)}",
                code=INPUT,
            )
        if board:
            open_gateway(prompt)
        return wire_on(prompt, name, chosen, line)
    except BaseException:
        prompt.close()
        raise


def wire_on(prompt: Prompt, board: str, uart: str, line: Line) -> GatewayWire:
    """Open a UART of a gateway that stands still, at its prompt. A Problem when it cannot be."""
    try:
        prompt.run(_SCRIPT.format(board=board, uart=uart, most=_ANSWER_BYTES))
    except BoardError as error:
        raise Problem(
            f"{prompt.port}: {uart} cannot be opened: {error.said}",
            "eclor boards shows its UARTs",
            code=DEVICE,
        ) from None
    return GatewayWire(prompt, uart, line)
