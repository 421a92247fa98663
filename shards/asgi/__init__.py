"""ASGI 3 applications: scopes and messages (pure), connections, lifespan."""
