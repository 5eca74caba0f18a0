"""The REST API: forecasts, decisions and their reasons. It is read-only."""
