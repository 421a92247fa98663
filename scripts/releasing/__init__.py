"""What `make release-check` looks at: what is built, and what a stranger does with it."""
