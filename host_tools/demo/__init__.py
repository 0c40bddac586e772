"""The demonstration (`make run`, `eclor demo`): all parts on one computer, buttons, a verdict.

demonstration.py  the whole: what a page may see and press, the end, the result
world.py          the parts: started, cut, stopped
buttons.py        power, network and line, pressed by a person or by a seed
watch.py          the numbers of each second, and the verdict
papers.py         certificates of its own for broker and gateway (`--tls`)
"""
