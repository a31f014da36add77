"""Public fakes, for testing what is built on this package without real binaries."""
