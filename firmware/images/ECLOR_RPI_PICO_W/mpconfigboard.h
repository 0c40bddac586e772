// RPI_PICO_W of upstream under a name of its own.
#include "boards/RPI_PICO_W/mpconfigboard.h"
#undef MICROPY_HW_BOARD_NAME
#define MICROPY_HW_BOARD_NAME "Eclor gateway on RPI_PICO_W"
