"""Texts without the passwords that addresses carry."""

import re

__all__ = ["mask_passwords"]

_IN_ADDRESS = re.compile(r"(://[^/@:\s]*:)(?!:)(?:(?!://)\S)*@")
_IN_QUERY = re.compile(
    r"([?&;](?:[\w-]*(?:password|passwd|secret|token|key|sig(?:nature)?))=)[^&;#\s]+", re.IGNORECASE
)


def mask_passwords(text: str) -> str:
    """Replace passwords before the host and in the query of addresses, chained ones too, by
    asterisks.
    """
    return _IN_QUERY.sub(r"\1***", _IN_ADDRESS.sub(r"\1***@", text))
