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


def redact_value(value: object) -> object:
    """Return a value with the texts in its lists, tuples and dicts redacted, at any depth."""
    if isinstance(value, str):
        redacted = redact(value)
        return value if redacted == value else redacted
    if isinstance(value, bytes):
        text = value.decode("latin-1")
        return value if redact(text) == text else redact(text).encode("latin-1")
    if isinstance(value, dict):
        return {key: _redact_item(key, item) for key, item in value.items()}
    if type(value) in {list, tuple}:
        return type(value)(map(redact_value, value))  # type: ignore[call-arg,call-overload]
    return value


def _redact_item(key: object, item: object) -> object:
    # The credentials of a header by themselves need not look like any.
    is_header = isinstance(key, str) and key.lower() == "authorization"
    return BLOT if is_header and item else redact_value(item)
