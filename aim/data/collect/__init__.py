"""Collection of demonstrations: jobs for worker processes, and their scheduling on this machine."""
