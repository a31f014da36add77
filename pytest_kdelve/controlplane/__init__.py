"""A control plane of real binaries: built, started, entered and stopped."""
