"""What all pages share.

frame.py, server and language; style.py, colours and fonts; words.py, their languages and numbers.
"""
