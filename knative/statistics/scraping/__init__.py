"""Pods asked for statistics: `schedule` (when) → `scraper` (whom) → `queue_proxy` (one request)."""
