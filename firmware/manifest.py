"""What is frozen into an image of one's own: the gateway, boot.py and the main.py of images/.

Upstream's language of manifests (MicroPython documentation, "MicroPython manifest files"), run by
upstream's own build, never by the gateway. Frozen code runs from the flash: it takes no RAM and
its names are there already. An update still goes to the slots /a and /b, which are preferred;
without a whole slot what is frozen runs (boot.py). How to build: README.md.

include("../../manifest.py", port="rp2", board="rpi_pico_w") from images/ECLOR_RPI_PICO_W.
"""

# The language: include(), package(), module(), require(), options.
options.defaults(port="rp2", board="rpi_pico_w")

package("drivers", base_path="..", opt=1)
package("agent", base_path="..", opt=1)
package(
    "boards",
    files=("__init__.py", options.board + ".py"),
    base_path="..",
    opt=1,
)
package(
    "firmware",
    files=(
        "__init__.py",
        "build.py",
        "carrier.py",
        "counted.py",
        "hal/__init__.py",
        "hal/edges.py",
        "hal/ppp.py",
        "hal/%s.py" % options.port,
        *(("hal/chip.py", "hal/uart.py") if options.port != "host" else ()),
        *(("hal/sampler.py",) if options.port == "rp2" else ()),
        *(("hal/counter.py",) if options.port == "esp32" else ()),
        "link.py",
        "loop.py",
        "main.py",
        "net.py",
        "provision.py",
        "tcp_port.py",
        "timekeeping.py",
    ),
    base_path="..",
    opt=1,
)
module("boot.py", opt=1)
if options.port == "host":
    module("host_start.py", opt=1)
else:
    module("chip_main.py", opt=1)
    module("main.py", base_path="images", opt=1)
