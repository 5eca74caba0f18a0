"""Knative's own rule: `reactive` (stable and panic mode), `zero` (scale to zero), `bounds`.

Equal to Knative's code digit for digit, as tests/golden checks. Imports `core.state`.
"""
