"""The demonstration (`make run`, `eclor demo`): all parts on one computer, buttons, a verdict.

papers.py  certificates of its own for broker and gateway (`--tls`)
"""
