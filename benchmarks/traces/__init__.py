"""Traffic to replay: recorded and synthetic.

`trace` reads npz (with `events`, a row a request), or finds by `layouts` who reads a text:
`azure_2019` (InVitro, too), `huawei`, `request_rows` (counted by `minute_sums`) or `exported`
(OpenMetrics). Those return a `count_table`, and name what is wrong by line (`csv_rows`).
`openmetrics` writes demand for a Prometheus; `synthetic` makes a shop's traffic; `call_graphs` are
recorded, `synthetic_calls` follow them.
"""
