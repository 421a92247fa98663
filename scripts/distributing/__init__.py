"""What setup.py adds to setuptools: C modules that know their sources, a source distribution that is a clone,
a description whose links lead somewhere from an index page."""
