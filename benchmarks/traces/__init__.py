"""Traffic to replay: `trace` reads `azure_csv` and npz; `made` and `call_graphs` are synthetic."""
