"""The live page: the site as a picture, curves, the figures that matter, three buttons.

Not the demonstration: everything comes through `view.py`, so the page can be looked at and tested
without one. Nothing is loaded from outside; charts are Apache ECharts as NiceGUI ships it.
`live.py` lays the page out, `picture.py` draws the site, `words.py` speaks; `desk.py` and
`work.py` are the technician's page (`eclor ui`), what all pages share is in look/.
"""
