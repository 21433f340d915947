"""Sphinx: Markdown pages by MyST, docstrings by numpydoc, no network."""

import inspect

import hiermix

project = "hiermix"
author = "The hiermix developers"
copyright = author
version = release = hiermix.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"hiermix {release}"

myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
myst_dmath_double_inline = True

numpydoc_show_class_members = False
numpydoc_xref_param_type = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
default_role = "py:obj"  # `predict` in a docstring is a name, as numpydoc has it


def short_signature(
    app: object, what: str, name: str, obj: object, options: object, signature: str, returns: str
) -> tuple[str, str] | None:
    """Show arguments and defaults: their types stand in the docstring."""
    if what not in ("class", "function", "method") or signature is None or not callable(obj):
        return None
    found = inspect.signature(obj)
    bare = [each.replace(annotation=each.empty) for each in found.parameters.values()
            if each.name != "self"]  # fmt: skip
    return str(inspect.Signature(bare)), ""


def setup(app: object) -> None:
    """Connect what is above."""
    app.connect("autodoc-process-signature", short_signature)  # type: ignore[attr-defined]
