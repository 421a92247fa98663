"""What a server says, for people and for programs, and where it goes without ever waiting for a reader."""
