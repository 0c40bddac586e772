"""The /main.py of a chip: it is copied there beside /boot.py, and never updated over the air.

MicroPython runs /boot.py even for mpremote, where it only defines; this file starts the gateway.
"""

import boot  # type: ignore[import-not-found]  # the file beside it, on the board

boot.start()
