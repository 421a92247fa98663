"""Load and measurement: clients, load shapes, reports, a bad link, benchmarks beside peers."""
