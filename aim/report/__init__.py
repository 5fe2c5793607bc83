"""Reports: one self-contained HTML page of trainings, evaluations and datasets."""
