"""The web server: a folder, or a handler of the user's."""
