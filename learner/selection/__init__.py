"""Which model forecasts which service, decided on held-back time.

`losses` (cost of decisions) → `backtest`, `calibration` → `competition`; `bisection` finds the
services that make a fit fail. Imports `models`.
"""
