"""The fleet's pages: gateways, sites, meters with their history, events; French and English.

Not the demonstration's page (host_tools/page). `app.py` lays out, `data.py` asks the database,
`words.py` speaks, `access.py` lets in.
"""

from host_tools.collect.pages.app import serve

__all__ = ["serve"]
