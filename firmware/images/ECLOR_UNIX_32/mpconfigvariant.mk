# Upstream's unix port with words of 32 bits and the gateway frozen in: an emulated board whose
# heap is as a board's. `make -C ports/unix VARIANT_DIR=...`; README.md of firmware/ says how.
FROZEN_MANIFEST ?= $(VARIANT_DIR)/manifest.py
MBEDTLS_CONFIG_FILE = \"eclor_mbedtls_config.h\"
MPY_CROSS_FLAGS += -march=x86
MICROPY_PY_BTREE = 0
MICROPY_PY_FFI = 0
CFLAGS += -m32
LDFLAGS += -m32
