"""The configuration: sections, keys, defaults, and how it comes together."""
