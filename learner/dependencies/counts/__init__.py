"""Edges between continuous services: `residuals` → `partial` → `edges`."""
