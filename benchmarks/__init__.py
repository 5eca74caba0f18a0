"""Measures the product: against Knative's own answers, against baselines, and against itself."""
