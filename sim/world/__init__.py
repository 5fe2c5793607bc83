"""Physics engines and renderers behind one protocol."""
