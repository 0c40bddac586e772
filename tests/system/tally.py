"""What an exploration of power cuts has counted, and how it says that a promise was broken."""


class Violation(Exception):
    """A promise was broken.

    kind: "lost", "ghost", "undeclared", "unmountable", "open" of the journal; "unbootable" or
    "mixed" of what changes a gateway.
    """

    def __init__(self, kind, text):
        super().__init__(text)
        self.kind = kind


class Tally:
    """What was counted: cuts by depth, other troubles, violations by kind, the first in words."""

    def __init__(self):
        self.cuts = 0
        self.deep = 0
        self.troubles = 0
        self.operations = 0
        self.broken: dict = {}
        self.first = ""

    def note(self, error, where):
        kind = error.kind if isinstance(error, Violation) else "unmountable"
        self.broken[kind] = self.broken.get(kind, 0) + 1
        if not self.first:
            self.first = "%s: %s: %s %s" % (where, kind, type(error).__name__, error)
