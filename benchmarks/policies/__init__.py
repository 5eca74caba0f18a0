"""What a replay compares: `policies`; `femux` runs the pooled model under FeMux's rules."""
