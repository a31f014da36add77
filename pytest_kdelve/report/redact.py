"""Keeping secrets out of what is printed."""

from __future__ import annotations

import re

_SECRETS = re.compile(
    r"(?P<scheme>\b(?:Bearer|Basic)\s+)[\w.~+/=-]+"
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*"  # a JSON Web Token: base64 of '{"' and two more parts
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.DOTALL,
)


def redact(text: str) -> str:
    """Return ``text`` with tokens, credentials of Authorization headers and keys blotted out."""
    return _SECRETS.sub(lambda match: f"{match['scheme'] or ''}(redacted)", text)
