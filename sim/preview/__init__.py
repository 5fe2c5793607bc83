"""Pictures of tasks, robots and objects, for people."""
