"""`/metrics`: what a snapshot says, in Prometheus's words; made from its arrays, row for row.

What is not known (no decision, no forecast) has no sample: a -1 would be summed by somebody.
"""
