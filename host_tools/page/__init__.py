"""The live page: the site as a picture, curves, the figures that matter, three buttons.

Not the demonstration: everything comes through host_tools/view.py, so the page can be looked at
and tested without one. Nothing is loaded from outside; charts are Apache ECharts as NiceGUI
ships it. `live.py` lays the page out, `picture.py` draws the site, `words.py` speaks.

    serve(view, 8080)        # http://127.0.0.1:8080/?lang=fr, blocks until Ctrl-C
"""

from host_tools.page.live import serve

__all__ = ["serve"]
