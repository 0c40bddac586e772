# ESP32_GENERIC_S3 of upstream, with the gateway frozen in; CMAKE_SOURCE_DIR is ports/esp32.
include(${CMAKE_SOURCE_DIR}/boards/ESP32_GENERIC_S3/mpconfigboard.cmake)
set(MICROPY_FROZEN_MANIFEST ${MICROPY_BOARD_DIR}/manifest.py)
