"""What a request passes before its handler: limits, tokens, scopes, audit."""
