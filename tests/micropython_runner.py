"""Run one portable test file on MicroPython: `micropython tests/micropython_runner.py FILE`.

Prints a line per failure with its traceback, a line per skip, then
`N passed, N failed, N skipped`.
"""

import gc
import sys

from tests.skips import Skip


def run(path, left_out=None):
    """Run every test_ function of the file; return (passed, failed, skipped).

    left_out: {name of a test: why it cannot run here}, counted as skipped.
    """
    module = __import__(path[:-3].replace("/", "."), None, None, ("*",))
    passed = failed = skipped = 0
    for name in sorted(dir(module)):
        test = getattr(module, name)
        if not name.startswith("test_") or not callable(test):
            continue
        if left_out and name in left_out:
            skipped += 1
            print("SKIP", path, name, left_out[name])
            continue
        gc.collect()
        try:
            test()
            passed += 1
        except Skip as why:
            skipped += 1
            print("SKIP", path, name, why)
        except Exception as error:
            failed += 1
            print("FAIL", path, name)
            sys.print_exception(error)
    return passed, failed, skipped


if __name__ == "__main__":
    _PASSED, _FAILED, _SKIPPED = run(sys.argv[1])
    print("%d passed, %d failed, %d skipped" % (_PASSED, _FAILED, _SKIPPED))
    sys.exit(1 if _FAILED else 0)
