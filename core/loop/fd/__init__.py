"""Any descriptor: pipes, datagrams, children, and whatever epoll can watch."""
