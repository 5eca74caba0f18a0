"""A client of the Kubernetes API: `outline`, `answers` (reading within limits) → `api`."""
