"""The /main.py that an image of one's own has frozen in: as chip_main.py on a board."""

import chip_main  # noqa: F401
