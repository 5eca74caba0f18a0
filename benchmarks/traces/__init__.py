"""Traffic to replay: recorded and synthetic.

`trace` reads npz (with `events`, a row a request) and `azure_csv`; `openmetrics` writes demand for
a Prometheus; `synthetic` makes a shop's traffic; `call_graphs` are recorded, `synthetic_calls`
follow them.
"""
