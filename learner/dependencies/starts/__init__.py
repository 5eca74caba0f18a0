"""Edges between intermittent services, from the times at which they start.

`coincidences` (counts) → `evidence` (sums that decay with age; `evidence_file` stores them) →
`direct` → `edges`.
"""
