"""Keeping secrets out of what is printed."""

from __future__ import annotations

import re

#: What stands for a secret.
BLOT = "(redacted)"
_SECRETS = re.compile(
    # The value of an Authorization header, as in HTTP, in Go's map and in Python's.
    r"""(?P<header>\bauthorization['"]?\s*[:=][\s\['"]*(?:(?:bearer|basic)\s+)?)[^\s'",\]]+"""
    # The same without its name. A short plain word is English: "bearer of news", "basic checks".
    r"|(?P<scheme>\b(?:bearer|basic)\s+)(?!(?-i:[a-z]{1,16})(?![\w.~+/=-]))[\w.~+/=-]+"
    # A JSON Web Token begins with '{"' in base64; pytest shortens long values in their middle.
    r"|\b(?-i:eyJ)[\w-]{8,}(?:\.+[\w-]+)+\.?"
    # A part of one, and one in base64 as Secrets have it.
    r"|\b(?-i:eyJ|ZXlK)[\w+/=-]{16,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.DOTALL | re.IGNORECASE,
)


def redact(text: str) -> str:
    """Return ``text`` with tokens, credentials of Authorization headers and keys blotted out."""
    return _SECRETS.sub(lambda found: f"{found['header'] or found['scheme'] or ''}{BLOT}", text)
