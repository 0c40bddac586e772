"""The tests of boot.py are enough: every branch is taken, and every seeded fault is caught."""

import io
import signal
import sys
import types
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import coverage
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
BOOT = ROOT / "firmware" / "boot.py"
TESTS = ROOT / "tests" / "unit" / "test_boot.py"

# (what boot.py says, what a tired person might have written)
FAULTS = (
    ("state[2] = tries - 1", "state[2] = tries"),
    ("if not why and write_state(root, state):", "if not why:"),
    ("inspect(root, trial)[1] if tries else", "inspect(root, trial)[1] if tries > 1 else"),
    ('if tries else note or "no tries left"', 'if tries else ""'),
    ("return trial, state, wrong", "return active, state, wrong"),
    ("state = [active, _NO_TRIAL, 0, fails, 0, why]",
     "state = [trial, _NO_TRIAL, 0, fails, 0, why]"),
    ("state = [active, _NO_TRIAL, 0, fails, 0, why]\n        write_state(root, state)",
     "state = [active, _NO_TRIAL, 0, fails, 0, why]"),
    ('"rolled back from %s: %s" % (trial, why or', '"rolled back from %s: %s" % (active, why or'),
    ("    limit = 0\n", "    limit = 1\n"),
    ("limit += TRIES", "limit = TRIES"),
    ("if fails < limit:", "if fails <= limit:"),
    ("[: 3 if active == FROZEN else 2]", "[:2]"),
    ("[: 3 if active == FROZEN else 2]", ""),
    ('return "" if slot == FROZEN else slot, state, wrong', "return slot, state, wrong"),
    ('why = "" if slot == FROZEN else inspect', "why = inspect"),
    ('"what is frozen" if slot == FROZEN else', '"what is frozen" if slot != FROZEN else'),
    ('active in ("a", "b", FROZEN) and', 'active in ("a", "b") and'),
    ("b[0] > a[0]", "b[0] < a[0]"),
    ('state[0], state[5] = FROZEN, ""', 'state[0] = FROZEN'),
    ('state[0], state[5] = FROZEN, ""', 'state[5] = ""'),
    ('newest = "b" if', 'newest = "a" if'),
    ("a == b == (-1, _ABSENT)", "a == b"),
    ("a == b == (-1, _ABSENT)", "a == (-1, _ABSENT)"),
    ("a == b == (-1, _ABSENT)", "b == (-1, _ABSENT)"),
    ("if error.errno == ENOENT", "if error.errno != ENOENT"),
    ("if error.errno == ENOENT", "if True"),
    ("        gc.threshold(_GARBAGE_BYTES)", "            gc.threshold(_GARBAGE_BYTES)"),
    ("state[5] = wrong[0]", "pass"),
    ("if found.digest() == head[52:84]", "if found.digest()"),
    ("if len(head) < _HEAD or head[:8] != _MAGIC:", "if head[:8] != _MAGIC:"),
    ("if len(head) < _HEAD or head[:8] != _MAGIC:", "if len(head) < _HEAD:"),
    ("left = listing + content", "left = listing"),
    ("found.update(view[:count])", "found.update(view)"),
    ('if crc != b"%08x" % (crc32(line) & 0xFFFFFFFF):', "if False:"),
    ('active in ("a", "b", FROZEN) and', 'active in "ab-" and'),
    ('and trial in ("a", "b", _NO_TRIAL)', ""),
    ("and min(counts) >= 0", ""),
    ("except (OSError, ValueError):", "except OSError:"),
    ("except (OSError, ValueError):", "except ValueError:"),
    ('"".join([c if " " <= c <= "~" else "?" for c in state[5][:_NOTE_CHARS]])', "state[5]"),
    ("state[5][:_NOTE_CHARS]", "state[5]"),
    ("        return False\n    return True", "        return True\n    return True"),
    ("if slot != state[1]:", "if slot == state[1]:"),
    ("state[3] += fails", "state[3] += 1"),
    ("int(name) if name.isdigit() else name", "name"),
    ("except (ValueError, OSError):", "except ValueError:"),
    ("except (ValueError, OSError):", "except OSError:"),
    ("self._lamp.value(on)", "self._lamp.value(1)"),
    ("if self._lamp is None:", "if True:"),
    ("board.shine(1 - second % 2)", "board.shine(1)"),
    ("    fails = 1\n", "    fails = 2\n"),
    ("if may_again and write_state(board.root, state):", "if may_again:"),
    ("if may_again and write_state(board.root, state):", "if write_state(board.root, state):"),
    ("may_again = slot or (", "may_again = ("),
    ("slot or (is_there and state[3]", "slot or (state[3]"),
    ("and state[3] <= 3 * TRIES)", "and state[3] < 3 * TRIES)"),
    ("and state[3] <= 3 * TRIES)", ")"),
    ("    state[3] = 0\n", ""),
    ("for second in range(_SAFE_S):", "for second in range(2 * _SAFE_S):"),
    ("        board.sleep_s()\n    state[3]", "        pass\n    state[3]"),
    ("    write_state(board.root, state)\n    board.reset()", "    board.reset()"),
    ("    wrong.append(why)\n    may_again", "    may_again"),
    ("        if not slot:\n            wrong.append(repair(",
     "        if True:\n            wrong.append(repair("),
    ("wrong.append(repair(board, wrong))", "repair(board, wrong)"),
    ('inspect(board.root, "repair")[1]', '""'),
    ("        board.arm()\n        vfs.mount(Slot(board.root + \"/repair\")",
     "        vfs.mount(Slot(board.root + \"/repair\")"),
    ("        sys.path.insert(0, MOUNT)\n        try:", "        try:"),
    ("why = fetcher.start(board, wrong, inspect)", "why = fetcher.start(board, [], inspect)"),
    ("            board.arm()\n", ""),
    ('os.remove(root + "/maintenance")', 'os.stat(root + "/maintenance")'),
    ("    if minutes:\n        board.reset_in", "    if False:\n        board.reset_in"),
    ("int(text) if text.isdigit() else 0", "int(text)"),
    ("minutes or _MAINTENANCE_MIN, _MAINTENANCE_MAX", "minutes, _MAINTENANCE_MAX"),
    ("min(minutes or _MAINTENANCE_MIN, _MAINTENANCE_MAX)", "minutes or _MAINTENANCE_MIN"),
    ("        board.reset_in(minutes)\n        print", "        print"),
    ("    board.reset_in(minutes)\n    state", "    state"),
    ('file.write(b"%d" % minutes)', "pass"),
    ("file.write(b\"%d\" % minutes)\n    board.reset()", "file.write(b\"%d\" % minutes)"),
    ('(state[0] if state else "a", "a", "b")', '("a", "b")'),
    ('(state[0] if state else "a", "a", "b")', '(state[0] if state else "a",)'),
    ('if not inspect(board.root, slot)[1]:\n            import', 'if True:\n            import'),
    ("            sys.path.insert(0, MOUNT)\n            return slot", "            return slot"),
    ('0 if sys.platform == "esp32" else -1', "0"),
    ("period=minutes * 60000", "period=minutes * 1000"),
    ('if name + b" " in names:', "if name in names:"),
    ('if name + b"/" in names or path == "/":', 'if name + b"/" in names:'),
    ("file.seek(_HEAD)\n            return b", "return b"),
    ('return b"\\n" + file.read', "return file.read"),
    ('self._held = b""', "pass"),
    ("self._held or self._read()", "self._held"),
    ("            board.rest = mounted.rest", "            board.rest = None"),
    ("self._content = _HEAD + listing", "self._content = _HEAD"),
    ('line.split(b" ")[1]', 'line.split(b" ")[0]'),
    ('name = b"\\n" + path[1:].encode() + b" "\n', 'name = path[1:].encode() + b" "\n'),
    ("    if at < 0:\n            raise OSError(2)\n        line", "    line"),
    ("    except Exception as error:\n        getattr",
     "    except ValueError as error:\n        getattr"),
    ("        if self._watchdog:\n            self._watchdog.feed()\n", ""),
    ("WDT(timeout=_WATCHDOG_MS)", "WDT()"),
)  # fmt: skip


class HangError(BaseException):
    """The code under test did not end."""


def _hang(*_):
    raise HangError


def failures(source: str, path: str = "<boot.py with a fault>") -> list[str]:
    """Run the unit tests on this source of boot.py; return the names of those that fail."""
    import firmware

    boot = types.ModuleType("firmware.boot")
    exec(compile(source, path, "exec"), boot.__dict__)
    tests: dict[str, object] = {"__name__": "boot_tests"}
    kept = getattr(firmware, "boot", None)
    firmware.boot = boot  # type: ignore[attr-defined]
    try:
        exec(compile(TESTS.read_text(), str(TESTS), "exec"), tests)
    finally:
        if kept is not None:
            firmware.boot = kept  # type: ignore[attr-defined]
    failed = []
    for name, test in tests.items():
        if name.startswith("test_") and callable(test):
            try:
                signal.alarm(10)
                test()
            except (Exception, HangError) as error:
                failed.append(f"{name}: {type(error).__name__}")
                break
            finally:
                signal.alarm(0)
    return failed


@pytest.fixture(autouse=True)
def _quiet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    signal.signal(signal.SIGALRM, _hang)
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield


def test_every_branch_of_boot_is_taken():
    if sys.gettrace():  # it would end here for all that follows: make coverage has this bar too
        pytest.skip("this run is measured itself")
    measured = coverage.Coverage(
        branch=True, include=[str(BOOT)], data_file=None, config_file=False
    )
    measured.start()
    try:
        assert failures(BOOT.read_text(), str(BOOT)) == []
    finally:
        measured.stop()
    assert measured.report(file=io.StringIO()) == 100.0


@pytest.mark.parametrize("fault", range(len(FAULTS)))
def test_every_seeded_fault_is_caught(fault):
    good, bad = FAULTS[fault]
    source = BOOT.read_text()
    assert source.count(good) >= 1, good
    assert failures(source.replace(good, bad, 1)), f"nobody saw {bad!r} for {good!r}"
