"""Which model answers for which service, decided on time that no model has seen.

`losses` (what a forecast costs) → `backtest`, `calibration` → `competition`; `bisection` finds the
services that make a fit fail. Imports `models`.
"""
