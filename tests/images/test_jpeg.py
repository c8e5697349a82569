"""What a JPEG file says about the original, for all kinds of files that Pillow writes."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from dip_lite import PictureError, load, psnr, sample
from dip_lite.images.deblocking import deblock_classically
from dip_lite.images.degrade import jpeg
from dip_lite.images.io import to_pil
from dip_lite.images.jpeg import JpegConstraint, dct, from_ycc, idct, to_ycc
from dip_lite.images.jpeg_file import find_jpeg, read_jpeg

CAT = sample("chelsea")[..., 60:188, 100:276]  # 128 × 176
KINDS = [
    ("grey", {}),
    ("4:4:4", {"subsampling": 0}),
    ("4:2:2", {"subsampling": 1}),
    ("4:2:0", {"subsampling": 2}),
]
SIZES = [(128, 176), (121, 163), (120, 168)]  # whole, odd, and of 8 but not of 16


def encode(x: Tensor, kind: str = "4:2:0", **options: object) -> bytes:
    memory = io.BytesIO()
    picture = to_pil(x).convert("L" if kind == "grey" else "RGB")
    picture.save(memory, "JPEG", **{**dict(KINDS)[kind], "quality": 20, **options})  # type: ignore[arg-type]
    return memory.getvalue()


def decode(data: bytes) -> Tensor:
    return load(Image.open(io.BytesIO(data)))


def rms(constraint: JpegConstraint, x: Tensor) -> float:
    """What violates the constraints, in grey levels."""
    return 255 * float(constraint.squared_excess(x.double())) ** 0.5


def original(kind: str, size: tuple[int, int]) -> Tensor:
    x = CAT[..., : size[0], : size[1]]
    return load(to_pil(x).convert("L")) if kind == "grey" else x


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", [kind for kind, _ in KINDS])
@pytest.mark.parametrize("quality", [10, 50, 90])
def test_the_original_satisfies_the_constraints_of_its_file(
    quality: int, kind: str, size: tuple[int, int], progressive: bool
) -> None:
    x_true = original(kind, size)
    constraint = read_jpeg(encode(x_true, kind, quality=quality, progressive=progressive))
    assert (constraint.size, constraint.subsampling) == (size, kind)
    # A progressive file does not tell the last samples of Cb and Cr at an odd rim.
    cut = progressive and kind in ("4:2:2", "4:2:0") and size != SIZES[0]
    # measured: 0.11 grey levels at most, since encoders round, and 0.21; 1 and 0.93 of the blocks
    assert rms(constraint, x_true) < (0.4 if cut else 0.15)
    assert constraint.certain > (0.85 if cut else 0.99)
    assert rms(constraint, (x_true + 0.1).clamp(0, 1)) > 3  # another picture does not


@pytest.mark.parametrize("kind", [kind for kind, _ in KINDS])
def test_our_decoder_agrees_with_pillows(kind: str) -> None:
    """The integers in the file, decoded here in float64, against what Pillow decodes."""
    data = encode(original(kind, (128, 176)), kind, quality=30)
    constraint = read_jpeg(data)
    with Image.open(io.BytesIO(data)) as picture:
        if kind != "grey":
            picture.draft("YCbCr", picture.size)
        theirs = np.asarray(picture).astype(float)
    luma = theirs if kind == "grey" else theirs[..., 0]
    ours = idct(constraint.planes[0].center.double())[0, 0].clamp(-128, 127) + 128
    difference = (ours - torch.from_numpy(luma)).abs()
    # rounding alone gives up to 0.5, and 0.25 on average; measured 0.87 and 0.25, qualities 5 to 95
    assert float(difference.max()) < 1 and float(difference.mean()) < 0.3
    if kind == "4:4:4":
        for index in (1, 2):
            ours = idct(constraint.planes[index].center.double())[0, 0] + 128
            assert float((ours - torch.from_numpy(theirs[..., index])).abs().max()) < 1


def test_the_transform_is_orthonormal_and_its_inverse_is_one() -> None:
    x = torch.randn(1, 1, 24, 40, dtype=torch.float64)
    assert torch.allclose(idct(dct(x)), x)
    assert float(dct(x).square().sum()) == pytest.approx(float(x.square().sum()))
    flat = dct(torch.full((1, 1, 8, 8), 3.0))
    assert float(flat[0, 0]) == pytest.approx(24) and float(flat[0, 1:].abs().max()) < 1e-5


def test_the_colors_are_pillows() -> None:
    with to_pil(CAT).convert("YCbCr") as picture:
        theirs = torch.from_numpy(np.array(picture, dtype=np.float32)).permute(2, 0, 1)[None]
    offset = torch.tensor([128.0, 128, 128]).view(1, 3, 1, 1)
    assert float((to_ycc(CAT) + offset - theirs).abs().max()) <= 1.01
    assert float((from_ycc(to_ycc(CAT)) - CAT).abs().max()) < 1e-5


@pytest.mark.parametrize("kind", [kind for kind, _ in KINDS])
def test_projection_satisfies_the_constraints_and_moves_towards_the_original(kind: str) -> None:
    size = (128, 176)
    x_true = original(kind, size) * 0.8 + 0.1  # nothing is clipped
    constraint = read_jpeg(encode(x_true, kind, quality=15))
    x = (
        x_true + 0.08 * torch.randn(x_true.shape, generator=torch.Generator().manual_seed(0))
    ).clamp(0, 1)
    projected = constraint.project(x)
    assert rms(constraint, projected) < 0.15 < rms(constraint, x)
    # the original is in the set, so the nearest point of it is never farther away than x
    assert psnr(projected, x_true) > psnr(x, x_true)
    assert torch.allclose(constraint.project(projected), projected, atol=2e-3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_is_turned_back(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.jpg"
    path.write_bytes(encode(CAT[..., :121, :163], exif=exif))
    constraint, x0 = read_jpeg(path), load(path)
    assert constraint.size == tuple(x0.shape[2:])
    assert rms(constraint, x0) < 1 and rms(constraint, x0.flip(3)) > 5
    assert rms(constraint, constraint.project(x0 * 0.9 + 0.05)) < 0.6


@pytest.mark.parametrize("orientation", [1, 5, 6])
def test_turned_colors_are_guided_like_upright_ones(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(CAT, "4:2:2", exif=exif)
    constraint = read_jpeg(data)
    clean = constraint.turn_back(deblock_classically(decode(data), constraint))
    upright = encode(CAT, "4:2:2")
    expected = deblock_classically(decode(upright), read_jpeg(upright))
    assert psnr(clean, CAT) == pytest.approx(psnr(expected, CAT), abs=0.05)


def test_fill_bytes_before_a_marker_are_skipped() -> None:
    data = encode(CAT)
    at = data.index(b"\xff\xc0")
    filled = read_jpeg(data[:at] + b"\xff" + data[at:])
    assert torch.equal(filled.planes[0].center, read_jpeg(data).planes[0].center)


def test_the_gradient_is_right_and_zero_inside() -> None:
    constraint = read_jpeg(encode(CAT[..., :32, :32]))
    inside = CAT[..., :32, :32].double().clone().requires_grad_()
    constraint.squared_excess(inside).backward()
    assert inside.grad is not None and float(inside.grad.abs().max()) < 1e-5
    x = torch.rand(1, 3, 32, 32, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: 100 * constraint.squared_excess(x), x, fast_mode=True)


def test_a_tile_has_its_part_of_the_constraints() -> None:
    x = torch.rand(1, 3, 121, 163, dtype=torch.float64)
    constraint = read_jpeg(encode(CAT[..., :121, :163]))
    total = 0.0
    for rows in (slice(0, 64), slice(64, 128)):
        for columns in (slice(0, 96), slice(96, 176)):
            part = x[..., rows, columns]
            total += float(constraint.crop(rows, columns).squared_excess(part)) * part.numel()
    assert total / x.numel() == pytest.approx(float(constraint.squared_excess(x)))


@pytest.mark.parametrize("quality", [5, 10, 20, 40, 75, 85])
@pytest.mark.parametrize("kind", [kind for kind, _ in KINDS])
def test_pixels_tell_how_they_were_compressed(kind: str, quality: int) -> None:
    x_true = original(kind, (121, 163))
    data = encode(x_true, kind, quality=quality)
    found, read = find_jpeg(decode(data)), read_jpeg(data)
    assert found is not None and len(found.planes) == len(read.planes)
    for ours, theirs in zip(found.planes, read.planes, strict=True):
        assert torch.equal(ours.step, theirs.step)
    assert rms(found, x_true) < 0.8  # measured: 0.27 to 0.62 grey levels


def test_other_pixels_tell_nothing() -> None:
    x0 = jpeg(CAT, 20)
    assert find_jpeg(CAT) is None
    assert find_jpeg(x0[..., 3:, 5:]) is None  # blocks start elsewhere
    assert find_jpeg((x0 * 0.9).clamp(0, 1)) is None
    assert find_jpeg(torch.full((1, 3, 64, 64), 0.5)) is None  # of any quality


def test_the_classical_method_improves_every_quality() -> None:
    for quality, least in ((10, 0.8), (20, 0.5), (40, 0.5)):  # measured: 0.96, 0.63, 0.64 dB
        data = encode(CAT, quality=quality)
        clean = deblock_classically(decode(data), read_jpeg(data))
        assert psnr(clean, CAT) > psnr(decode(data), CAT) + least


def patch(data: bytes, marker: int, offset: int, value: int) -> bytes:
    """A file with one byte of a segment changed."""
    at = data.index(bytes([0xFF, marker])) + offset
    return data[:at] + bytes([value]) + data[at + 1 :]


def cmyk() -> bytes:
    memory = io.BytesIO()
    to_pil(CAT).convert("CMYK").save(memory, "JPEG")
    return memory.getvalue()


def rgb() -> bytes:
    memory = io.BytesIO()
    to_pil(CAT).save(memory, "JPEG", keep_rgb=True)
    return memory.getvalue()


def png() -> bytes:
    memory = io.BytesIO()
    to_pil(CAT).save(memory, "PNG")
    return memory.getvalue()


WRONG = {
    "png": (png, "is a PNG file, not a JPEG"),
    "cmyk": (cmyk, "is a JPEG of CMYK colors"),
    "rgb": (rgb, "is a JPEG of RGB colors"),
    "a table of zeros": (lambda: patch(encode(CAT), 0xDB, 5, 0), "damaged quantization tables"),
    "no such table": (lambda: patch(encode(CAT), 0xC0, 12, 3), "cannot be read|damaged"),
    "12 bits": (lambda: patch(encode(CAT), 0xC0, 4, 12), "cannot be read as a JPEG"),
    "arithmetic coding": (lambda: patch(encode(CAT), 0xC0, 1, 0xC9), "with arithmetic coding"),
    "unusual sampling": (lambda: patch(encode(CAT), 0xC0, 11, 0x41), "unusual resolution|cannot"),
    "cut short": (lambda: encode(CAT)[:700], "cannot be read as a JPEG"),
    "nothing": (lambda: b"", "cannot be read as a JPEG"),
}


@pytest.mark.parametrize("name", WRONG)
def test_files_of_other_kinds_are_refused_in_one_sentence(name: str) -> None:
    make, message = WRONG[name]
    with pytest.raises(PictureError, match=message) as caught:
        read_jpeg(make())
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 160
