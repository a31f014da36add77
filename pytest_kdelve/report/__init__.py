"""Hits and outcomes as text for people."""
