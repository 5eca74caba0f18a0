"""Measures the product: against Knative's own answers, against baselines, and against itself.

`traces` → `simulator` under `policies` → `replay` → `scores` → `report`; `whatif` asks the same of
a Prometheus, `goals` hold what was promised against it; `dependencies`, `controller` and `learner`
are benchmarks of their own; `parity` and `recorded` compare answers. May import all.
"""
