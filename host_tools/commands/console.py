"""`eclor console`: the board's own prompt, on this terminal."""

from host_tools import options
from host_tools.language import say
from host_tools.problems import MISSING, Problem

NAME = "console"


def command(
    port: options.Port = "",
) -> None:
    """Talk to the board behind a port; Ctrl-] leaves, Ctrl-C stops the firmware on it.

    A gateway whose firmware is stopped measures nothing until it is reset: Ctrl-D does that.
    """
    import sys

    from serial.tools.miniterm import Miniterm

    from host_tools.cable.console import open_console
    from host_tools.cable.ports import choose

    if not sys.stdin.isatty():
        raise Problem(
            "a conversation needs a terminal", "eclor monitor only listens", code=MISSING
        )
    device = choose(port)
    print(say("{port}: Ctrl-] leaves", port=device.port))
    terminal = Miniterm(open_console(device), eol="cr", filters=())
    terminal.set_rx_encoding("utf-8")
    terminal.set_tx_encoding("utf-8")
    terminal.start()
    try:
        terminal.join(True)
    except KeyboardInterrupt:
        pass
    terminal.join()
    terminal.close()
