"""Signing in at the company's own provider: OpenID Connect, the code flow with PKCE."""
