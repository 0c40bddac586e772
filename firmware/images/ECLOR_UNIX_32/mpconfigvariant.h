// The feature level of ESP32 and RP2, and their memory for TLS: the collector's heap.
#define MICROPY_CONFIG_ROM_LEVEL (MICROPY_CONFIG_ROM_LEVEL_EXTRA_FEATURES)
#define MICROPY_TRACKED_ALLOC (1)
#include "variants/mpconfigvariant_common.h"
