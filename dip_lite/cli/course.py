"""The `course` command: copies the notebooks to where they can be run and changed."""

import shutil
from pathlib import Path

from ..errors import missing_extra

PACKAGE = Path(__file__).parents[1]
SOURCES = (PACKAGE / "course", PACKAGE.parent / "notebooks")  # installed; in a checkout
FIRST = "index.ipynb"


def copy_course(folder: Path) -> str:
    """Copies the notebooks and their solutions into a folder, made if need be.

    Returns:
        a text that says how to open them.

    Raises:
        ValueError: one is there already, and may hold somebody's work, or the folder cannot be
            written.
    """
    source = next((path for path in SOURCES if (path / FIRST).is_file()), None)
    if source is None:
        raise ValueError("this installation lacks the notebooks: install dip_lite from a wheel")
    names = sorted(path.relative_to(source) for path in source.rglob("[!.]*.ipynb"))
    names = [name for name in names if not any(part.startswith(".") for part in name.parts)]
    for name in names:
        if (folder / name).exists():
            raise ValueError(f"{folder / name} exists: give a folder without the course")
    try:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, folder / name)
    except OSError as error:
        raise ValueError(f"{folder} cannot be written ({error.strerror})") from error
    lines = [
        f"Wrote {len(names)} notebooks. Start with {folder / FIRST}:",
        f'  jupyter lab "{folder / FIRST}"',
    ]
    if message := missing_extra("course", "JupyterLab here"):
        lines.append(message)
    return "\n".join(lines)
