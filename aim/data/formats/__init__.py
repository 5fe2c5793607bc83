"""Formats of datasets, one a file: each reads episodes as an `aim.data.reader.EpisodeReader`, or as recorded rows."""
