"""The fleet's pages: gateways, sites, meters with their history, events; French and English.

Not the demonstration's page (host_tools/page). `app.py` lays out, `data.py` asks the database,
`cells.py` and `charts.py` show what it answers, `words.py` speaks, `login.py` and `access.py`
let in.
"""

from host_tools.collect.pages.app import serve

__all__ = ["serve"]
