"""Tasks as data: what stands on the table, what counts as success, which skills reach it."""
