"""A worker: it reads its plan, opens its stack, and serves until it is drained."""
