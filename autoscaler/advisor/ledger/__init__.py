"""The ledger: what services cost and how long callers waited, under Knative's rule and kn-ahead.

`counted`: from one snapshot to the next; `hour`: the hour that is going on; `table`: a period that
is over; `file`, `store`: such periods on disk; `ledger`: all of these; `comparison`: both policies
side by side, with an interval.
"""
