"""Sphinx's configuration of the site; `scripts/site` brings the pages together."""

from pygments.lexers.special import TextLexer
from sphinx.highlighting import lexers

lexers["mermaid"] = TextLexer()  # a diagram of states, which reads well enough as it is written

project = "Gossamer"
extensions = ["myst_parser", "sphinx_copybutton"]
html_theme = "furo"
html_title = "Gossamer"
html_show_sphinx = False
myst_heading_anchors = 4
myst_heading_slug_func = "sitepages.slugs.slug"
myst_enable_extensions = ["colon_fence", "deflist"]
copybutton_prompt_text = "$ "
pygments_dark_style = "github-dark"
