"""How good found edges are, and what they save when services call each other.

`made_shops` → `trial` (learn, then run) → `findings` → `chains`; `found_edges`
judges the search alone.
"""
