"""What holds of the standards: provisions, our answer, the tests, and what these said last.

Not a certificate: a conformity assessment judges a product with its maker; this is the part that
the firmware and its tools can show. What they cannot is said in each row's `beyond`.

provisions.py  the rows
results.py     what the tests said last (results.json, written by `make compliance`)
page.py        both on one page
"""
