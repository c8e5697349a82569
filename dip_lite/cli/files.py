"""The files of a command: the pictures it names, what goes with each, where results go.

pictures = find_pictures(["a.jpg", "holiday", "scans/*.png"])     # files, folders, globs
find_companion("masks", "holiday/b.jpg", "mask")                  # masks/b.png, for example
outputs = name_outputs(pictures, "restored", inputs=pictures)     # restored/a.png, …
"""

import glob
import itertools
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import PictureError

# the files of a folder that count as pictures; a file given by name may have any suffix
SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".ppm", ".pgm", ".jp2",
    ".avif",
)  # fmt: skip


def find_pictures(paths: Iterable[str]) -> list[str]:
    """All pictures that the paths name, each once, in the order of the paths.

    Args:
        paths: files; folders, for their pictures in alphabetical order, without subfolders; globs
            such as "scans/*.png".

    Raises:
        PictureError: a folder without pictures, or a glob without matches.
    """
    found: dict[str, str] = {}
    for path in itertools.chain.from_iterable(map(_expand, paths)):
        found.setdefault(os.path.realpath(path), path)
    return [*found.values()]


def is_many(paths: Iterable[str]) -> bool:
    """Whether the paths may name several pictures, even if only one is there.

    >>> is_many(["a.png"]), is_many(["a.png", "b.png"]), is_many(["*.png"])
    (False, True, True)
    """
    paths = list(paths)
    return len(paths) > 1 or any(os.path.isdir(path) or _is_glob(path) for path in paths)


def find_companion(path: str | None, picture: str, what: str) -> str | None:
    """The file that goes with a picture.

    Args:
        path: one file for all pictures, or a folder with a file of each picture's name; or None.
        picture: the picture's file.
        what: what to call it in a message, such as "mask".

    Returns:
        `path` unless it is a folder, else the file in it.

    Raises:
        PictureError: the folder has no file of that name, or several.
    """
    if path is None or not os.path.isdir(path):
        return path
    same_name = Path(path) / Path(picture).name
    if same_name.is_file():
        return str(same_name)
    stem = Path(picture).stem
    found = [other for other in _list_pictures(path) if Path(other).stem == stem]
    if len(found) == 1:
        return found[0]
    if found:
        names = " and ".join(Path(other).name for other in found[:2])
        raise PictureError(f"{path} has {names}: which is the {what} for {picture}?")
    raise PictureError(f"{path} has no {what} for {picture}: name it {stem}.png, like the picture.")


def name_outputs(pictures: Iterable[str], folder: str, inputs: Iterable[str | None]) -> list[str]:
    """Where each result goes: <stem>.png in the folder; a.jpg.png where two stems are the same.

    Args:
        pictures: the pictures' files.
        folder: for the results.
        inputs: files, or folders of files, that no result may overwrite.

    >>> [Path(path).name for path in name_outputs(["a.jpg", "b.jpg", "x/b.png"], "out", [])]
    ['a.png', 'b.jpg.png', 'b.png.png']
    """
    pictures = list(pictures)
    stems = Counter(Path(path).stem.casefold() for path in pictures)
    taken = {identity(file) for path in inputs if path for file in _list_files(path)}
    outputs = []
    for picture in pictures:
        unique = stems[Path(picture).stem.casefold()] == 1
        names = (str(Path(folder) / name) for name in _candidates(Path(picture), unique))
        output = next(name for name in names if identity(name) not in taken)
        taken.add(identity(output))
        outputs.append(output)
    return outputs


def _candidates(picture: Path, unique: bool) -> Iterator[str]:
    """Names for a result, the best first, without end."""
    if unique:
        yield f"{picture.stem}.png"
    yield f"{picture.name}.png"
    for number in itertools.count(2):
        yield f"{picture.name}-{number}.png"


def _expand(path: str) -> list[str]:
    """The files of one path; whether a single file exists is checked when it is read."""
    if os.path.isdir(path):
        if found := _list_pictures(path):
            return found
        raise PictureError(f"{path} has no picture in it: give a folder with PNG or JPEG files.")
    if not _is_glob(path):
        return [path]
    found = sorted(file for file in glob.glob(path, recursive=True) if os.path.isfile(file))
    if not found:
        raise PictureError(f"No file matches {path}: check the folder and the suffix.")
    return found


def _is_glob(path: str) -> bool:
    return glob.has_magic(path) and not os.path.lexists(path)


def _list_pictures(folder: str) -> list[str]:
    """The pictures of a folder, without hidden ones, sorted by name."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise PictureError(f"{folder} cannot be read ({error.strerror}).") from error
    wanted = (n for n in names if n[0] != "." and Path(n).suffix.lower() in SUFFIXES)
    return [str(path) for path in (Path(folder) / name for name in wanted) if path.is_file()]


def _list_files(path: str) -> list[str]:
    return _list_pictures(path) if os.path.isdir(path) else [path]


def identity(path: str) -> str:
    """The same for two names of one file, also where file names ignore case."""
    return os.path.realpath(path).casefold()
