"""Headers to records and back, pure."""
