"""`python -P -m gossamer` is the command line.

Without -P, Python looks for modules in the current folder first: for this package too.
"""

from gossamer.cli.main import main

if __name__ == "__main__":
    main()
