"""The machine as a server meets it: /proc, control groups, modules, refused calls, what it inherits."""
