"""One measured figure, with how it was measured."""

from dataclasses import asdict, dataclass


@dataclass
class Figure:
    """A value that the project may claim: name, value, unit, and how it was measured."""

    name: str
    value: float
    unit: str
    how: str

    def text(self) -> str:
        """Return the value with four significant digits, whole numbers whole."""
        if self.value == int(self.value) and abs(self.value) < 1e15:
            return f"{int(self.value):,}"
        return f"{self.value:,.4g}"

    def as_dict(self) -> dict[str, object]:
        """Return the fields for build/bench.json."""
        return asdict(self)
