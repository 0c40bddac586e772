// ESP32_GENERIC_S3 of upstream under a name of its own.
#include "boards/ESP32_GENERIC_S3/mpconfigboard.h"
#undef MICROPY_HW_BOARD_NAME
#define MICROPY_HW_BOARD_NAME "Eclor gateway on ESP32_GENERIC_S3"
