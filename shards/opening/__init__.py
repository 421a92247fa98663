"""What is opened before the first worker: sockets, queues, folders, certificates."""
