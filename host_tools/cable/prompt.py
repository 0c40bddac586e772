"""The prompt of a board: its raw REPL, by mpremote's transport, with files and plain errors.

    with Prompt("/dev/ttyACM0") as prompt:
        prompt.run("import machine")
        prompt.value("2 ** 10")                    # a literal of Python: 1024
        prompt.put("/config.json", data)           # whole or not at all, even in a power cut
        prompt.read("/slot")

mpremote says that its transport will change, so it is pinned and used here, in raw_port.py and in
bootloader.py alone. Its way to the prompt, which tries once and prints, is replaced. Paths are
relative to where the board's files are: "/" on a chip.
What is written to a file is there when it is closed, and then whole: littlefs commits it at once.
"""

import ast
import base64
import contextlib
import json
import os
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any, Self

from mpremote.transport import TransportError, TransportExecError

from host_tools.cable import raw_port
from host_tools.problems import DEVICE, Problem

Progress = Callable[[int], None]  # bytes more
PIECE_BYTES = 3072
_WINDOW_BITS = 10  # of the compression: a kilobyte on the board
_READY = b"raw REPL; CTRL-B to exit\r\n"
_CTRL_A, _CTRL_B, _CTRL_C, _CTRL_D = b"\x01", b"\x02", b"\x03", b"\x04"
_START_S = 5.0  # from a reset to a prompt
_POLL_S = 0.3
_STEP_S = 5.0
_LONG_S = 60.0  # for a hash of a slot on a slow flash

# Runs on the board: files by relative names, pieces as base64, deflated where the image can.
# A boot whose import was interrupted is half of one, and would stay so: it is imported anew.
_HELPERS = (
    """
import gc,os,sys
if 'boot' in sys.modules and not hasattr(sys.modules['boot'],'start'):del sys.modules['boot']
from binascii import a2b_base64 as _a,b2a_base64 as _b
from hashlib import sha256 as _h
try:
 from deflate import DeflateIO as _D,RAW as _R
 from io import BytesIO as _I
 def _z(t):return _D(_I(_a(t)),_R,%d).read()
except ImportError:
 _z=None
def _hash(p):
 b=memoryview(bytearray(1024));h=_h();n=0
 try:f=open(p,'rb')
 except OSError:return None
 with f:
  while 1:
   k=f.readinto(b)
   if not k:return n,bytes(_b(h.digest())[:-1])
   h.update(b[:k]);n+=k
def _ls(p,t):
 for r in os.ilistdir(p or '.'):
  q=(p+'/' if p else '')+r[0]
  if r[1]&0x4000:
   if t:_ls(q,t)
  else:print(repr((q,os.stat(q)[6])),end=',')
"""
    % _WINDOW_BITS
)


class Prompt:
    """The raw prompt of one board, from the first Ctrl-C to the last Ctrl-B."""

    def __init__(self, port: str, *, wait_s: float = 15.0) -> None:
        """port: a serial port. wait_s: how long the board may take to come to its prompt."""
        self.port = port
        self._wait_s = wait_s
        self.root = ""  # of the board's files: "" on a chip
        self._transport: Any = None
        self._can_inflate = False

    def __enter__(self) -> Self:
        """Open the port and interrupt whatever runs there."""
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the raw prompt and close the port."""
        self.close()

    def open(self, *, gently: bool = False) -> None:
        """Open the port and come to the prompt. A Problem says why that is not possible.

        gently: the board is starting: let it, and interrupt it only when it shows no prompt.
        """
        try:
            self._transport = raw_port.Transport(self.port)
        except (OSError, ValueError, TransportError) as error:
            raise Problem(
                f"{self.port} cannot be opened: {error}",
                "another program may hold it, or it is not there: eclor devices, eclor doctor",
                code=DEVICE,
            ) from None
        try:
            if gently:
                self._await_prompt()
            with self._errors():
                try:
                    self._come_in()
                except TransportExecError:
                    raise
                except TransportError:  # it was about to start again, as the command before wanted
                    self._come_in()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the port back; the board is left at its friendly prompt."""
        if self._transport:
            with contextlib.suppress(OSError, TransportError):
                if self._transport.in_raw_repl:
                    self._transport.exit_raw_repl()
            with contextlib.suppress(OSError, TransportError):
                self._transport.close()
            self._transport = None

    def _come_in(self) -> None:
        self._interrupt()
        self._transport.exec(_HELPERS)
        self._can_inflate = self._transport.eval("_z is not None")
        self.root = self._transport.eval("os.getcwd()").rstrip("/")

    def _interrupt(self) -> None:
        """Come to the raw prompt; firmware that is busy may need more than one Ctrl-C."""
        until_s = time.monotonic() + self._wait_s
        heard = b""
        with self._errors():
            port = self._transport.serial
            while time.monotonic() < until_s:
                port.write(b"\r" + _CTRL_C + _CTRL_C)
                port.reset_input_buffer()
                port.write(b"\r" + _CTRL_A)
                # This attempt's alone: silence after an earlier banner is no banner.
                said = self._transport.read_until(1, _READY, timeout=0.7, timeout_overall=2)
                heard += said
                if said.endswith(_READY) and self._is_in_step():
                    self._transport.in_raw_repl = True
                    return
        shown = " ".join(heard[-120:].decode(errors="replace").split())
        what = f"it says: {shown}" if shown else "it says nothing"
        raise Problem(
            f"{self.port} does not come to MicroPython's prompt; {what}",
            "press its reset button and try again; without MicroPython on it: eclor flash",
            code=DEVICE,
        )

    def _is_in_step(self) -> bool:
        """Drop what a slow board still says to the attempts before; tell whether it follows."""
        word = os.urandom(6).hex()
        self._transport.serial.write(f"print('{word}')".encode() + _CTRL_D)
        said = f"OK{word}\r\n".encode() + 2 * _CTRL_D
        heard = self._transport.read_until(1, said, timeout=_STEP_S, timeout_overall=_STEP_S)
        return bool(heard.endswith(said))

    def _await_prompt(self) -> None:
        until_s = time.monotonic() + _START_S
        with self._errors():
            while time.monotonic() < until_s:
                self._transport.serial.write(b"\r")
                if self._transport.read_until(1, b">>> ", timeout=0.1).endswith(b">>> "):
                    return

    @contextlib.contextmanager
    def _errors(self) -> Any:
        try:
            yield
        except TransportExecError as error:
            last = error.error_output.strip().splitlines()[-1:] or [""]
            raise BoardError(self.port, last[0]) from None
        except (OSError, TransportError) as error:
            raise Problem(
                f"{self.port} has gone, or answers no more: {error}",
                "look at the cable and run the same command again: it goes on where it was",
                code=DEVICE,
            ) from None

    # --- words

    def run(self, script: str, wait_s: float = 0.0) -> str:
        """Run a script; return what it printed. BoardError when it raised.

        wait_s: how long it may be silent; 0: as long as a board usually is.
        """
        with self._errors():
            out, errors = self._transport.exec_raw(script, timeout=wait_s or raw_port.ANSWER_S)
            if errors:
                raise TransportExecError(out, errors.decode(errors="replace"))
        return str(out.decode(errors="replace"))

    def value(self, expression: str, wait_s: float = 0.0) -> Any:
        """Return what an expression gives: a literal of Python."""
        return ast.literal_eval(self.run(f"print(repr({expression}))", wait_s).strip())

    def json(self, expression: str) -> Any:
        """Return what an expression gives that prints JSON."""
        return json.loads(self.run(f"import json;print(json.dumps({expression}))"))

    # --- files

    def files(self, folder: str = "", *, deep: bool = True) -> dict[str, int]:
        """Return path -> bytes of the files of a folder; {} when it is absent."""
        try:
            listed = self.run(f"_ls({folder!r},{deep})")
        except BoardError as error:
            if "ENOENT" in error.said:
                return {}
            raise
        return dict(ast.literal_eval(f"[{listed}]"))

    def digests(self, paths: Iterable[str]) -> dict[str, tuple[int, bytes]]:
        """Return path -> (bytes, SHA-256) of those that are there, read back from the flash."""
        found = {}
        for path in paths:
            told = self.value(f"_hash({path!r})", _LONG_S)
            if told:
                found[path] = (told[0], base64.b64decode(told[1]))
        return found

    def read(self, path: str, progress: Progress | None = None) -> bytes:
        """Return a file's bytes. BoardError when it is absent."""
        data = b""
        self.run(f"_f=open({path!r},'rb')")
        while True:
            piece = self.bytes_of(f"_f.read({PIECE_BYTES})")
            if not piece:
                break
            data += piece
            if progress:
                progress(len(piece))
        self.run("_f.close()")
        return data

    def bytes_of(self, expression: str) -> bytes:
        """Return what an expression gives: some kilobytes at most."""
        text = self.run(f"gc.collect();print(_b({expression}))").strip()
        return base64.b64decode(ast.literal_eval(text))

    def put(self, path: str, data: bytes, progress: Progress | None = None) -> None:
        """Replace a file, with the folder that it lies in; a Problem unless it reads back."""
        self.make(path, [data], sha256(data).digest(), progress)

    def make(
        self,
        path: str,
        pieces: Iterable[bytes | tuple[str, int, int]],
        digest: bytes,
        progress: Progress | None = None,
    ) -> None:
        """Make a file of bytes and of pieces of others: (path, at, size); nothing until it ends.

        digest: the SHA-256 that it must have when it is read back; a Problem otherwise.
        """
        folder = path.rpartition("/")[0]
        if folder:
            self.run(f"try:os.mkdir({folder!r})\nexcept OSError:pass")
        self.run(f"gc.collect();_f=open({path!r},'wb');_w=_f.write")
        for piece in pieces:
            if isinstance(piece, tuple):
                self._copy(*piece)
                if progress:
                    progress(piece[2])
                continue
            for at in range(0, len(piece), PIECE_BYTES):
                part = piece[at : at + PIECE_BYTES]
                self.run(f"gc.collect();_w({self._packed(part)})")
                if progress:
                    progress(len(part))
        self.run("_f.close()")
        found = self.digests([path]).get(path)
        if not found or found[1] != digest:
            raise Problem(
                f"{self.port}: {path} is not what was written when it is read back",
                "a worn or false flash chip: take another board",
                code=DEVICE,
            )

    def _packed(self, data: bytes) -> str:
        if self._can_inflate:
            squeeze = zlib.compressobj(9, zlib.DEFLATED, -_WINDOW_BITS)
            small = squeeze.compress(data) + squeeze.flush()
            if len(small) < len(data):
                return f"_z('{base64.b64encode(small).decode()}')"
        return f"_a('{base64.b64encode(data).decode()}')"

    def _copy(self, path: str, at: int, size: int) -> None:
        self.run(
            f"with open({path!r},'rb') as _g:\n _g.seek({at})\n _n={size}\n"
            " while _n:_k=_g.read(min(_n,1024));_w(_k);_n-=len(_k)"
        )

    def remove(self, path: str) -> None:
        """Remove a file; no error when it is gone already."""
        self.run(f"try:os.remove({path!r})\nexcept OSError as e:\n if e.errno!=2:raise")

    # --- its life

    def reset(self) -> None:
        """Let the board start again; the prompt is gone, and where it speaks USB its port too."""
        with contextlib.suppress(Problem, OSError, TransportError):
            self._transport.exec_raw_no_follow("import machine\nmachine.reset()")
        self._transport.in_raw_repl = False
        self.close()

    def enter_maintenance(self, minutes: int = 30, wait_s: float = 20.0) -> None:
        """Start the board again without its firmware: no watchdog bites while files are written.

        minutes: 1 .. 60; then it starts by itself.

        A board without firmware is at its prompt already.
        """
        if "main.py" not in self.files(deep=False):
            return
        self.put("maintenance", b"%d" % minutes)
        self.reset()
        self.await_start(wait_s)
        # A Ctrl-C that came before boot.py had looked has left it; no watchdog is armed by then.
        self.remove("maintenance")

    def await_start(self, wait_s: float = 20.0) -> None:
        """Come to the prompt of a board that has just been reset; its port may come and go."""
        until_s = time.monotonic() + wait_s
        while True:
            try:
                self.open(gently=True)
                return
            except Problem:
                if time.monotonic() > until_s:
                    raise
                time.sleep(_POLL_S)

    def info(self) -> Mapping[str, Any]:
        """Return what the board says of itself: machine, version, mpy, free, id."""
        return dict(
            self.value(
                "(lambda s,v,m:{'machine':getattr(s,'_machine',''),'version':tuple(s.version[:3]),"
                "'mpy':s._mpy&255,'arch':s._mpy>>10,'free':v[0]*v[3],'size':v[1]*v[2],"
                "'id':''.join(['%02x'%b for b in m.unique_id()])})"
                "(__import__('sys').implementation,os.statvfs(os.getcwd()),__import__('machine'))"
            )
        )


class BoardError(Problem):
    """A script on the board raised: `said` is the last line of its traceback."""

    def __init__(self, port: str, said: str) -> None:
        super().__init__(
            f"{port}: the board says {said}",
            "run it again; when it repeats: eclor reset, then eclor deploy",
            code=DEVICE,
        )
        self.said = said
