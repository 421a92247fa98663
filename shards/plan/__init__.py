"""How a server is split into shards, and which queue a flow's packets come to."""
