"""How good found edges are, and what they save when services call each other.

`synthetic_shops` → `trial` (learn, then simulate) → `findings` → `chains`: latency and pods with
and without edges. `starts_quality`, `counts_quality`, `warning_quality` (of `baselines`, and of the
search in `ablation`) → `found_edges`: the search by itself.
"""
