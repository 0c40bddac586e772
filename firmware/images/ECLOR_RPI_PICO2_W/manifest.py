"""What upstream freezes into RPI_PICO2_W, and the gateway."""

include("$(PORT_DIR)/boards/manifest.py")
require("ssl")
include("../../manifest.py", port="rp2", board="rpi_pico2_w")
