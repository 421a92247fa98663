"""What threads read and write: streams on either stack, files, pipes, datagrams, children, signals, names."""
