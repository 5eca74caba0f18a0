"""Measures the product: against Knative's own answers, against baselines, and against itself.

`traces` → `simulator` under `policies` → `replay` → `scores` → `report`; `dependencies`,
`controller` and `learner` are benchmarks of their own; `parity` and `recorded` compare answers. May
import all.
"""
