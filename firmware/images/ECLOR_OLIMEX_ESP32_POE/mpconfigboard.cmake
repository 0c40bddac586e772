# OLIMEX_ESP32_POE of upstream, with the gateway frozen in; CMAKE_SOURCE_DIR is ports/esp32.
include(${CMAKE_SOURCE_DIR}/boards/OLIMEX_ESP32_POE/mpconfigboard.cmake)
set(MICROPY_FROZEN_MANIFEST ${MICROPY_BOARD_DIR}/manifest.py)
