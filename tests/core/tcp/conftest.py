"""Hypothesis as these tests want it: seconds, not minutes, and no deadline on a machine that others use too."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "modest", max_examples=60, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("modest")
