"""What upstream freezes into its unix port, and the gateway."""

include("$(PORT_DIR)/variants/standard/manifest.py")
include("../../manifest.py", port="host", board="host")
