"""Errors for people: what happened, where, what to do next, and the exit code of that cause.

    raise Problem("site.yaml is not there", "give the path of a site file", code=INPUT)

The codes are part of the command's interface; README.md lists them.
"""

import difflib
from collections.abc import Iterable

OK = 0
FAILED = 1  # the job ran, and its answer is no: a check found problems, readings were lost
USAGE = 2  # the command line cannot be understood
INPUT = 3  # a file or value given is absent or wrong
DEVICE = 4  # a port, board or meter does not answer or refuses
NETWORK = 5  # a broker, collector or database cannot be reached or refuses
MISSING = 6  # something this computer needs is not installed or not permitted
INTERRUPTED = 130  # Ctrl-C


class Problem(Exception):
    """One problem, in a sentence, with its remedy: there is none without."""

    def __init__(self, what: str, remedy: str, *, code: int = FAILED, where: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
        self.code = code
        self.where = where

    def as_dict(self) -> dict[str, object]:
        """Return the fields for --json."""
        return {"error": self.what, "where": self.where, "remedy": self.remedy, "code": self.code}


def worst(codes: Iterable[int]) -> int:
    """Return the exit code of a command that did several things: the first that is not OK."""
    return next((code for code in codes if code != OK), OK)


def did_you_mean(word: object, known: Iterable[object]) -> str:
    """Return "did you mean X?" with the known word that is nearest; "" when none is near."""
    near = difflib.get_close_matches(str(word), list(map(str, known)), 1, 0.5)
    return f"did you mean {near[0]}?" if near else ""
