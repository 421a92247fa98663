"""The user's calls, one module each. Source: RFC 9293 3.10.1 to 3.10.5."""
