"""The pictures of one session, on disk until it ends, so that waiting visitors take no memory.

pictures = SessionPictures(folder, uploads, max_pixels)
pictures.add_upload(path, "picture")      # or "flash", "mask"
pictures.add_sample("coffee")
pictures.inputs(request, drawing)         # what a run needs
pictures.close()
"""

import secrets
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError
from . import uploads
from .labels import SAMPLES
from .request import RunRequest
from .restoration import Inputs
from .temp_files import UploadCounts
from .uploads import Picture

ROLES = ("picture", "flash", "mask")
SAMPLE = "sample:"  # begins the source of what was not uploaded
CLOSED = "Your picture was deleted when you left the page: try again, or reload the page."


class SessionPictures:
    """At most one picture in each of `ROLES`; see the module.

    Attributes:
        sources: for each role, the path of the upload, or "sample:" and a name.
        closed: whether the session has ended; nothing can be added then.
    """

    def __init__(self, folder: Path, counts: UploadCounts, max_pixels: int) -> None:
        self.folder, self.sources, self.closed = folder, dict[str, str](), False
        self._counts, self._max_pixels = counts, max_pixels
        self._lock = threading.RLock()

    def add_upload(self, path: Any, role: str = "picture") -> Picture:
        """Reads an uploaded file, and keeps it for the session's runs.

        Raises:
            UserError: it is not a picture.
        """
        if role not in ROLES or not isinstance(path, str):
            raise UserError("No picture was received: choose one.")
        if not self._counts.acquire(path):
            raise UserError("Your file is no longer here: upload it again.")
        try:
            read = uploads.read_mask if role == "mask" else uploads.read_picture
            return self._store(read(path, self._max_pixels), role, path)
        except BaseException:  # what is refused is deleted too
            self._counts.release(path)
            raise

    def add_sample(self, name: Any) -> Picture:
        """Uses one of the examples instead.

        Raises:
            UserError: there is no such example.
        """
        picture = uploads.read_sample(name, self._max_pixels)
        return self._store(picture, "picture", f"{SAMPLE}{name}")

    @property
    def source(self) -> str:
        """Of the picture, see `sources`; that of the first example if none was chosen."""
        return self.sources.get("picture", f"{SAMPLE}{SAMPLES[0]}")

    def picture(self) -> Picture:
        """The picture that the next run would restore."""
        x = self._load("picture")
        return uploads.read_sample(SAMPLES[0], self._max_pixels) if x is None else Picture(x)

    def remove(self, role: str) -> None:
        """Deletes what is kept in a role."""
        with self._lock:
            if role in ROLES:
                self._path(role).unlink(missing_ok=True)
                self._release(self.sources.pop(role, ""))

    def sync(self, shown: Mapping[str, Any]) -> None:
        """Makes what is kept agree with what the page shows.

        The page may be ahead, when Run is pressed right after an upload, and a session that lost
        its connection for a moment starts empty.

        Args:
            shown: the path of an upload for each role, and the example's name as "sample".
        """
        name, mask = shown.get("sample"), self.sources.get("mask")
        if not shown.get("picture") and name in SAMPLES:
            if self.sources.get("picture") != f"{SAMPLE}{name}":
                self.add_sample(name)
        for role in ROLES:
            path = shown.get(role)
            if not isinstance(path, str) or self.sources.get(role) == path:
                continue
            if role != "mask" or path != mask:  # else the mask belonged to the previous picture
                self.add_upload(path, role)

    def inputs(self, request: RunRequest, drawing: Any = "") -> Inputs:
        """The pictures that a run needs.

        Args:
            request: what is to be done.
            drawing: the mask that was painted, a data URI.

        Raises:
            UserError: a drawing or mask that does not suit the picture.
        """
        with self._lock:
            picture, source, mask = self.picture(), self.source, None
        lit = self._load("flash") if request.task == "flash" else None
        if request.task == "inpaint" and request.mask == "draw" and drawing:
            mask = uploads.fit_mask(uploads.read_drawing(drawing), picture)
        if request.task == "inpaint" and request.mask == "upload":
            uploaded = self._load("mask")
            mask = None if uploaded is None else uploads.fit_mask(uploaded, picture)
        constraint = None
        if request.task == "jpeg" and not request.quality and not source.startswith(SAMPLE):
            constraint = uploads.read_constraint(source, picture)
        flash = None if lit is None else Picture(lit)
        return Inputs(picture, flash, mask, constraint, source)

    def close(self) -> None:
        """Ends the session: deletes its uploads, unless another session uses them."""
        with self._lock:
            self.closed = True
            while self.sources:
                self._release(self.sources.popitem()[1])

    def _path(self, role: str) -> Path:
        return self.folder / f"{role}.npy"

    def _release(self, source: str) -> None:
        if source and not source.startswith(SAMPLE):
            self._counts.release(source)

    def _store(self, picture: Picture, role: str, source: str) -> Picture:
        """Writes a picture in place of the previous one, unless the session has ended."""
        draft = self.folder / f"{secrets.token_hex(8)}.part"
        try:
            _write(picture.x, draft, np.uint8 if role == "mask" else np.uint16)
            with self._lock:
                if self.closed:
                    raise UserError(CLOSED)
                draft.replace(self._path(role))
                previous, self.sources[role] = self.sources.get(role, ""), source
                self._release(previous)
                if role == "picture":
                    self.remove("mask")  # it belonged to the previous picture
        except OSError as error:
            if self.closed:
                raise UserError(CLOSED) from error
            raise
        return picture

    def _load(self, role: str) -> Tensor | None:
        """What is kept in a role, (1, C, H, W) in [0, 1]."""
        if not self._path(role).exists():
            return None
        values = np.load(self._path(role), allow_pickle=False)
        return torch.from_numpy(values.astype(np.float32) / np.iinfo(values.dtype).max)[None]


def _write(x: Tensor, path: Path, dtype: type[np.unsignedinteger[Any]]) -> None:
    values = (x[0].clamp(0, 1) * np.iinfo(dtype).max).round().numpy().astype(dtype)
    with open(path, "wb") as file:
        np.save(file, values, allow_pickle=False)
