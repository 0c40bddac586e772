// ESP32_GENERIC of upstream under a name of its own.
#include "boards/ESP32_GENERIC/mpconfigboard.h"
#undef MICROPY_HW_BOARD_NAME
#define MICROPY_HW_BOARD_NAME "Eclor gateway on ESP32_GENERIC"
