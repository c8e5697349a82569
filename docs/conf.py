"""The book: `make book` builds it from this folder, the notebooks and the docstrings, offline.

Nothing in it is computed and nothing is fetched: lessons are shown with their committed outputs,
formulas are MathML, fonts and scripts come with the theme.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]  # the package, and the two modules beside this file

import lessons  # noqa: E402
from docstrings import add_field_comments, as_rst, link_back  # noqa: E402

import dip_lite  # noqa: E402

project, author, release = "dip_lite", "the dip_lite authors", dip_lite.__version__
copyright = "the dip_lite authors, MIT licence"
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_design",
]
exclude_patterns = ["_static", "**landing_run.html"]  # that is a part of a page

lessons.copy(ROOT / "notebooks", ROOT / "docs" / "course")
nb_execution_mode = "off"
nb_code_prompt_show, nb_code_prompt_hide = "Show the {type}", "Hide the {type}"
nb_ipywidgets_js: dict[str, Any] = {}  # by default two scripts from a CDN
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

default_role = "code"  # what `docstrings` in backticks are
autosummary_generate = False
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_use_rtype = napoleon_attr_annotations = False
nitpick_ignore_regex = [  # names of other libraries, and type aliases: they have no page here
    (
        "py:.*",
        r"(torch|nn|np|numpy|PIL|os|matplotlib|collections|contextlib|pathlib|pd|t|Image)\..*",
    ),
    ("py:class", r"(Tensor|Figure|Image|Path|PathLike|DataFrame|Callable|Iterable|Iterator)"),
    ("py:class", r"(Any|Curve|Energy|Progress|Schedule|Denoiser|dip_lite\.tasks\.inputs\.T)"),
]

html_theme = "sphinx_book_theme"
html_title = "dip_lite"
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_js_files = ["search.js"]
html_copy_source = False
html_math_renderer = "mathml"
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system
html_theme_options = {
    "repository_url": "https://github.com/dip-lite/dip_lite",
    "use_repository_button": True,
    "use_download_button": False,
    "use_fullscreen_button": False,
    "home_page_in_toc": True,
    "navbar_persistent": [],  # there is a search field in the sidebar
    "show_toc_level": 2,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}


def _mathml(display: str) -> Any:
    """A visitor that writes a formula as MathML, which browsers draw without a script."""
    from docutils import nodes
    from latex2mathml.converter import convert

    def visit(writer: Any, node: Any) -> None:
        writer.body.append(convert(node.astext(), display=display))
        raise nodes.SkipNode

    return visit, None


def _drop_source_maps(app: Any, error: Exception | None) -> None:
    """The theme's, megabytes that only its authors need."""
    for path in Path(app.outdir).glob("_static/**/*.map"):
        path.unlink()


def setup(app: Any) -> None:
    app.add_html_math_renderer("mathml", _mathml("inline"), _mathml("block"))
    app.connect("autodoc-process-docstring", as_rst, priority=400)  # before napoleon
    app.connect("autodoc-process-docstring", add_field_comments, priority=401)
    app.connect("html-page-context", link_back)
    app.connect("build-finished", _drop_source_maps)
