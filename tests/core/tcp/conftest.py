"""Hypothesis as these tests want it: seconds, not minutes, and no deadline on a busy machine."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "modest", max_examples=100, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("modest")
