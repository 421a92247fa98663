"""Sphinx's configuration of the site; `scripts/site` brings the pages together."""

from pygments.lexers.special import TextLexer
from sitepages.references import References
from sphinx.application import Sphinx
from sphinx.highlighting import lexers

lexers["mermaid"] = TextLexer()  # a diagram of states, which reads well enough as it is written

project = "Gossamer"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
html_theme = "furo"
html_title = "Gossamer"
html_show_sphinx = False
html_show_copyright = False
html_static_path = ["static"]
html_css_files = ["gossamer.css"]
myst_heading_anchors = 4
myst_heading_slug_func = "sitepages.slugs.slug"
myst_enable_extensions = ["colon_fence", "deflist"]
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True
pygments_dark_style = "github-dark"

add_module_names = False
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
maximum_signature_line_length = 72
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"


def setup(app: Sphinx) -> None:
    """Have docstrings and types read our way."""
    references = References()
    app.connect("autodoc-process-docstring", references.docstring)
    app.connect("missing-reference", references.missing)
