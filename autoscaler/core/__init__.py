"""The decision core: pure functions over arrays; no I/O, no clock, no framework.

`state` (what is known of each revision) → `kpa` (Knative's rule) and `prediction` (what forecasts
and edges add) → `decider` (one answer for each revision) → `control` (the loop as a state machine).
`demand` counts what the learner will learn from. Imports numpy alone.
"""
