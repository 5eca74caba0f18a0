"""Knative's own rule: `reactive` (stable and panic mode), `zero` (scale to zero), `bounds`.

Equal to Knative's code digit for digit; the golden vectors hold it. Imports `core.state`.
"""
