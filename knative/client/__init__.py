"""The Kubernetes API within bounds: `outline`, `answers` (what may be read) → `api`; `backoff`."""
