"""What is seen of a running server: counters, status, connections, packets, graphs."""
