"""Scraping of pods: `schedule` (when) → `scraper` (which pods) → `queue_proxy` (one request)."""
