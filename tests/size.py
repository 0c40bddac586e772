"""Print the compiled size of each device file: `make size`."""

import tempfile
from pathlib import Path

from host_tools.image import compile_all


def main() -> int:
    """Compile with mpy-cross as the image does, print bytes per file and their sum."""
    with tempfile.TemporaryDirectory() as folder:
        sizes = {name: len(data) for name, data in compile_all(Path(folder)).items()}
    for name, size in sorted(sizes.items()):
        print(f"{size:7} {name}")
    print(f"{sum(sizes.values()):7} in {len(sizes)} files")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
