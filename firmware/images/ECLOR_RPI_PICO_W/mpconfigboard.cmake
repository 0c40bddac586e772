# RPI_PICO_W of upstream, with the gateway frozen in; CMAKE_SOURCE_DIR is ports/rp2.
include(${CMAKE_SOURCE_DIR}/boards/RPI_PICO_W/mpconfigboard.cmake)
set(MICROPY_FROZEN_MANIFEST ${MICROPY_BOARD_DIR}/manifest.py)
