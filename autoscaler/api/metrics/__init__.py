"""`/metrics`: a snapshot in Prometheus's text format, made from its arrays.

What is not known (no decision, no forecast) has no sample: a -1 would be summed by queries.
"""
