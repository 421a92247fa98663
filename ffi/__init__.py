"""The ground: C by cffi for what Python does not offer; imports nothing of ours and decides nothing."""
