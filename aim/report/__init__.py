"""The report: one self-contained page of what was run and what came out."""
