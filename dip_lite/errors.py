"""Every exception of the package, and the one place that turns any error into a sentence.

    try:
        restore(request)
    except Exception as error:
        print(sentence(error), file=sys.stderr)
        sys.exit(exit_status(error))

A message is written where the error is raised, on one line: what was given, what was expected, how
to mend it. `sentence` adds the full stop, and describes the errors of other libraries.
"""

import importlib.util
import os

OUT_OF_MEMORY = ("out of memory", "can't allocate memory")  # in PyTorch's own messages
MAX_QUOTED = 300  # characters of a foreign error's message


class PictureError(ValueError):
    """A picture cannot be read, written or used."""


class PictureWarning(UserWarning):
    """The user should know something about a picture; the run goes on."""


class WeightsError(ValueError):
    """The weights of a network cannot be downloaded or read."""


class FitError(RuntimeError):
    """A fit cannot continue, for example because its energy is never finite."""


class RecordError(ValueError):
    """The record of a run cannot be written, read or resumed."""


class SweepError(ValueError):
    """A sweep cannot start or continue."""


class WorkerLostError(RuntimeError):
    """A worker died, cannot be reached, does not begin, or no longer knows what it worked on."""


class UserError(ValueError):
    """A visitor asked the demo for something it cannot do."""


OURS = (
    PictureError, PictureWarning, WeightsError, FitError, RecordError, SweepError, WorkerLostError,
    UserError,
)  # fmt: skip

# What each extra of pyproject.toml brings that the package itself does without.
EXTRAS = {
    "app": ("gradio",),
    "course": ("anywidget", "jupyterlab"),
    "sweep": ("dask", "distributed", "pandas"),
}


def missing_extra(extra: str, what: str) -> str:
    """A sentence with the command that installs an extra, empty if it is installed.

    Args:
        extra: one of `EXTRAS`; nothing is imported.
        what: the subject of the sentence, what needs it.

    >>> EXTRAS["none"] = ("a_package_that_is_missing",)
    >>> missing_extra("none", "An example").partition(":")[0]
    'An example needs a_package_that_is_missing'
    >>> del EXTRAS["none"]
    """
    missing = [name for name in EXTRAS[extra] if importlib.util.find_spec(name) is None]
    if not missing:
        return ""
    return (
        f'{what} needs {", ".join(missing)}: run `pip install "dip_lite[{extra}]"`, or '
        f"`pip install -r requirements-{extra}.txt` in a checkout."
    )


def sentence(error: BaseException) -> str:
    """One line for the user, with a full stop, for any error.

    The messages of our own errors and of any `ValueError` are printed as they are; others are named
    and quoted.

    >>> sentence(ValueError("the mask hides nothing"))
    'the mask hides nothing.'
    >>> sentence(KeyError("x"))
    "Internal error (KeyError: 'x'): set DIP_LITE_DEBUG=1 to see where it happened."
    """
    message = " ".join(str(error).split())
    if isinstance(error, MemoryError) or any(phrase in message for phrase in OUT_OF_MEMORY):
        message = "There is not enough memory for this picture: use a smaller one"
    elif not isinstance(error, (*OURS, ValueError)) or not message:
        name = type(error).__name__
        cause = f"{name}: {message[:MAX_QUOTED]}" if message else name
        message = f"Internal error ({cause}): set DIP_LITE_DEBUG=1 to see where it happened"
    return message if message.endswith((".", "?", "!")) else f"{message}."


def exit_status(error: BaseException) -> int:
    """The exit status for an error: 2 for wrong input, 1 for anything else.

    >>> exit_status(PictureError("a.png is empty")), exit_status(FitError("the loss is NaN"))
    (2, 1)
    """
    return 2 if isinstance(error, ValueError) else 1


def debugging() -> bool:
    """Whether DIP_LITE_DEBUG asks for tracebacks instead of sentences."""
    return bool(os.environ.get("DIP_LITE_DEBUG"))


def reason(error: BaseException) -> str:
    """The first line of an error's message, without a full stop, to be put in brackets.

    >>> reason(OSError(28, "No space left on device"))
    'No space left on device'
    """
    text = str(getattr(error, "strerror", None) or error).strip() or type(error).__name__
    return text.splitlines()[0].strip().rstrip(".")


def name_of(source: object) -> str:
    """What to call a picture or a file in a message; always on one line.

    >>> name_of("photo.jpg"), name_of([1, 2])
    ('photo.jpg', 'The list')
    """
    if isinstance(source, (str, os.PathLike)):
        shown = "".join(c if c.isprintable() else "?" for c in os.fsdecode(source))
        return shown or "''"
    names = {"Tensor": "The tensor", "ndarray": "The array"}
    if (kind := type(source).__name__) in names:
        return names[kind]
    file = getattr(source, "filename", None)  # of a PIL image
    return name_of(file) if isinstance(file, str) and file else f"The {kind}"
