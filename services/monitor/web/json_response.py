"""JSON answers whatever the numbers."""

from typing import Any

from fastapi.responses import JSONResponse

from shared.finite_json import finite_json

__all__ = ["FiniteJSONResponse"]


class FiniteJSONResponse(JSONResponse):
    """Answer with JSON in which NaN and infinities are null, as FastAPI's own answers have them."""

    def render(self, content: Any) -> bytes:
        """Encode the content."""
        return finite_json(content).encode()
