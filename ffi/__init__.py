"""The ground: C by cffi for what Python does not offer; imports nothing of ours and decides nothing."""

from gossamer.ffi import built

built.require_built()
