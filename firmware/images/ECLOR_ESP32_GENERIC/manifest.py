"""What upstream freezes into ESP32_GENERIC, and the gateway."""

include("$(PORT_DIR)/boards/manifest.py")
include("../../manifest.py", port="esp32", board="esp32_generic")
