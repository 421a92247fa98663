"""WSGI applications (PEP 3333): their environ, their answers, and how they run in the pool."""
