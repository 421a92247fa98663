"""Records, whichever build of the pure core runs."""
