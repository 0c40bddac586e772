"""The firmware as files: what is in it (image.py), as one file (bundle.py), signed (release.py).

image.py also writes, reads and lists a whole flash: the emulated board starts from one.
"""
