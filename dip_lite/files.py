"""Which files a command is about: the pictures it names, what goes with each, where results go.

pictures = find_pictures(["a.jpg", "holiday", "scans/*.png"])     # files, folders, globs
companion("masks", "holiday/b.jpg", "mask")                       # masks/b.png, say
outputs = name_outputs(pictures, "restored", inputs=pictures)     # restored/a.png, …
"""

from __future__ import annotations

import glob
import itertools
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from .images import PictureError

# of the files in a folder that are taken for pictures; a file named by itself may have any
SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".ppm", ".pgm", ".jp2",
    ".avif",
)  # fmt: skip


def find_pictures(words: Iterable[str]) -> list[str]:
    """The files that the words name, each once, in the words' order.

    Args:
        words: files; folders, whose pictures are taken, sorted, without those of folders within;
            globs such as "scans/*.png".

    Raises:
        PictureError: a folder without a picture, or a glob that nothing matches.
    """
    found: dict[str, str] = {}
    for path in itertools.chain.from_iterable(map(_files, words)):
        found.setdefault(os.path.realpath(path), path)
    return [*found.values()]


def is_many(words: Iterable[str]) -> bool:
    """Whether the words may name several pictures, even if there happens to be one.

    >>> is_many(["a.png"]), is_many(["a.png", "b.png"]), is_many(["*.png"])
    (False, True, True)
    """
    words = list(words)
    return len(words) > 1 or any(os.path.isdir(word) or _is_glob(word) for word in words)


def companion(place: str | None, picture: str, what: str) -> str | None:
    """The file that goes with a picture: `place` itself, or the one of the same name in it.

    Args:
        place: a file, for all pictures, or a folder with a file for each; None for none.
        picture: the picture's file.
        what: what to call it in a sentence.

    Raises:
        PictureError: nothing of that name in the folder, or several.
    """
    if place is None or not os.path.isdir(place):
        return place
    name = Path(picture).name
    same = Path(place) / name
    if same.is_file():
        return str(same)
    alike = [path for path in _pictures_in(place) if Path(path).stem == Path(picture).stem]
    if len(alike) == 1:
        return alike[0]
    if alike:
        names = " and ".join(Path(path).name for path in alike[:2])
        raise PictureError(f"{place} has {names}: which is the {what} for {picture}?")
    raise PictureError(
        f"{place} has no {what} for {picture}: name it {Path(name).stem}.png, like the picture."
    )


def name_outputs(pictures: Iterable[str], folder: str, inputs: Iterable[str | None]) -> list[str]:
    """Where each result goes: <stem>.png in the folder; a.jpg.png where two stems are the same.

    Args:
        pictures: the pictures' files.
        folder: for the results.
        inputs: files, or folders of files, that no result may take the place of.

    >>> [Path(path).name for path in name_outputs(["a.jpg", "b.jpg", "x/b.png"], "out", [])]
    ['a.png', 'b.jpg.png', 'b.png.png']
    """
    pictures = list(pictures)
    stems = Counter(Path(path).stem.casefold() for path in pictures)
    taken = {_identity(path) for place in inputs if place for path in _held(place)}
    outputs = []
    for picture in pictures:
        alone = stems[Path(picture).stem.casefold()] == 1
        for name in _names(Path(picture), alone):
            output = str(Path(folder) / name)
            if _identity(output) not in taken:
                break
        taken.add(_identity(output))
        outputs.append(output)
    return outputs


def _names(picture: Path, alone: bool) -> Iterator[str]:
    """Names for a result, the best first, without end."""
    if alone:
        yield f"{picture.stem}.png"
    yield f"{picture.name}.png"
    for number in itertools.count(2):
        yield f"{picture.name}-{number}.png"


def _files(word: str) -> list[str]:
    """The files that one word names; a file that is not there is somebody else's complaint."""
    if os.path.isdir(word):
        if found := _pictures_in(word):
            return found
        raise PictureError(f"{word} has no picture in it: give a folder with PNG or JPEG files.")
    if not _is_glob(word):
        return [word]
    found = sorted(path for path in glob.glob(word, recursive=True) if os.path.isfile(path))
    if not found:
        raise PictureError(f"no file matches {word}: check the path and the suffix.")
    return found


def _is_glob(word: str) -> bool:
    return glob.has_magic(word) and not os.path.lexists(word)


def _pictures_in(folder: str) -> list[str]:
    """The pictures of a folder, hidden ones left out, sorted by name."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise PictureError(f"{folder} may not be read ({error.strerror}).") from error
    paths = [
        Path(folder) / name
        for name in names
        if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
    ]
    return [str(path) for path in paths if path.is_file()]


def _held(place: str) -> list[str]:
    """The file, or those in the folder."""
    return _pictures_in(place) if os.path.isdir(place) else [place]


def _identity(path: str) -> str:
    """What is the same for two names of one file, also where upper and lower case are."""
    return os.path.realpath(path).casefold()
