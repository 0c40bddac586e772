"""A cellular modem that fails on purpose: answers AT commands as bytes.

    modem = FakeModem()
    modem.wrong["AT+CPIN?"] = b"\\r\\n+CPIN: SIM PIN\\r\\n\\r\\nOK\\r\\n"
    answer = modem.take(b"AT\\r")

`deaf` commands pass unheard (a modem that starts), `looks` is how many +CREG? say "searching",
`echo` repeats what it hears until ATE0, `chatter` is sent before each answer, unasked.
"""


class FakeModem:
    """Keeps `heard`, the commands; `is_online` after CONNECT."""

    def __init__(self):
        self.heard = []
        self.wrong = {}
        self.deaf = 0
        self.looks = 2
        self.echo = True
        self.chatter = b""
        self.is_online = False
        self._in = b""

    def take(self, data):
        """Bytes from the gateway; return the answer."""
        self._in += data
        out = b""
        while b"\r" in self._in:
            line, self._in = self._in.split(b"\r", 1)
            out += self._answer(line.decode())
        return out

    def _answer(self, command):
        self.heard.append(command)
        if self.deaf:
            self.deaf -= 1
            return b""
        out = self.chatter + (command.encode() + b"\r" if self.echo else b"")
        if command in self.wrong:
            return out + self.wrong[command]
        if command == "ATE0":
            self.echo = False
        if command == "AT+CPIN?":
            out += b"\r\n+CPIN: READY\r\n"
        elif command == "AT+CSQ":
            out += b"\r\n+CSQ: 17,99\r\n"
        elif command == "AT+CREG?":
            self.looks -= 1
            out += b"\r\n+CREG: 0,%d\r\n" % (2 if self.looks >= 0 else 5)
        elif command.startswith("ATD"):
            self.is_online = True
            return out + b"\r\nCONNECT 150000000\r\n"
        return out + b"\r\nOK\r\n"
