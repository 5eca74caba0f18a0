"""How good found edges are, and what they save when services call each other.

`synthetic_shops` → `trial` (learn, then simulate) → `findings` → `chains`: latency and pods with
and without edges. `starts_quality`, `counts_quality` → `found_edges`: the search by itself.
"""
