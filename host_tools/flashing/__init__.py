"""MicroPython onto bare boards, many at once (`eclor flash`, `eclor images`).

images.py     images kept on this computer, each what it was when it was added
flash.py      the jobs of a day;  esp_worker.py  one ESP32 in its own process
bootloader.py a Pico to its drive;  uf2.py  that drive and its files
esp_table.py  the partition table of an ESP32: files and journal as the board wants them
"""
