"""What all pages share: style.py, colours and fonts; words.py, their languages and numbers."""
