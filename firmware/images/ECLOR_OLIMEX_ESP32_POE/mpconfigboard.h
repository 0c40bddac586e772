// OLIMEX_ESP32_POE of upstream under a name of its own.
#include "boards/OLIMEX_ESP32_POE/mpconfigboard.h"
#undef MICROPY_HW_BOARD_NAME
#define MICROPY_HW_BOARD_NAME "Eclor gateway on OLIMEX_ESP32_POE"
