"""How probable probable is: counted on what was published and what came.

`reliability` (outcomes by forecast probability, and the line that follows) → `rolling` (kept until
windows are over, and old ones forgotten). Imports `models`.
"""
