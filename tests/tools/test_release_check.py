"""The checks before a release find what they are for, and this tree passes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.release_check import broken_links, headings, read_version, wrong_versions


def test_this_tree_passes() -> None:
    assert not [*wrong_versions()]
    assert not [*broken_links()]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with one page and the three files that name the version."""
    files = {
        "dip_lite/__init__.py": '"""A package."""\n\n__version__ = "1.2.3"\n',
        "CITATION.cff": "title: x\nversion: 1.2.3\nlicense: MIT\n",
        "CHANGELOG.md": "# Changelog\n\n## 1.2.3 (2026-01-01)\n",
        "README.md": "[a](docs/a.md#the-end) [out](https://example.org/a) [here](#title)\n# Title",
        "docs/a.md": "# A\n## The end\n[up](../README.md) [lesson](course/one.ipynb)\n",
        "notebooks/one.ipynb": "{}",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_good_tree(tree: Path) -> None:
    assert read_version(tree) == "1.2.3"
    assert not [*wrong_versions(tree), *broken_links(tree)]


@pytest.mark.parametrize(
    ("page", "text", "named"),
    [
        ("README.md", "[a](docs/none.md)", "docs/none.md"),
        ("README.md", "[a](docs/a.md#nowhere)", "docs/a.md#nowhere"),
        ("docs/a.md", "![a](none.png)", "none.png"),
        ("docs/a.md", "```{image} none.webp\n```", "none.webp"),
        ("docs/a.md", "[a](course/two.ipynb)", "course/two.ipynb"),
    ],
)
def test_broken_links_are_named(tree: Path, page: str, text: str, named: str) -> None:
    (tree / page).write_text(text)
    assert f"{page} links to {named}, which is not there." in [*broken_links(tree)]


def test_another_version_is_named(tree: Path) -> None:
    (tree / "dip_lite/__init__.py").write_text('__version__ = "1.2.4"\n')
    assert [text.split()[0] for text in wrong_versions(tree)] == ["CITATION.cff", "CHANGELOG.md"]


def test_headings_in_code_are_none() -> None:
    assert headings("# `A`, b\n```sh\n# not one\n```\n") == {"a-b"}
