"""What `scripts/module-docs` is made of: sources to Markdown.

    sources.py      the modules, and what of them is public
    signatures.py   how a class or function is written where it is used
    names.py        what the front modules hand on, and where each name is described, for links
    prose.py        docstrings as Markdown
    members.py      fields, attributes, properties, methods
    pages.py        the page of a front module
    index.py        docs/modules.md: every module by its first sentence
    checks.py       what is out of date, orphaned, or says nothing

The modules that are described are not imported: their sources are parsed.
"""
