"""What upstream freezes into OLIMEX_ESP32_POE, and the gateway."""

include("$(PORT_DIR)/boards/manifest.py")
include("../../manifest.py", port="esp32", board="esp32_poe")
