"""Where this computer keeps what was given to `eclor`: images, authority, a technician's key."""

import os
from pathlib import Path


def folder() -> Path:
    """Return $ECLOR_HOME, else this user's data folder."""
    home = os.environ.get("ECLOR_HOME")
    if home:
        return Path(home)
    import platformdirs

    return Path(platformdirs.user_data_path("eclor", appauthor=False))
