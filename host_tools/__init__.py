"""What people and CI run, on CPython. Device code is imported through the shim."""

import sys
from pathlib import Path

_SHIM = str(Path(__file__).parent / "shim")
if _SHIM not in sys.path:
    sys.path.append(_SHIM)
