"""Edges between intermittent services, from the times at which they start.

`timed_starts`, `coincidences`, `own_timer`, `delay_correlation` (counts) → `evidence` (sums that
fade with age; `evidence_file` keeps them) → `direct` → `edges`.
"""
