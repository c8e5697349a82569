"""The probe sees what torchvision's AlexNet sees, its weights arrive whole, and features invert."""

from __future__ import annotations

import hashlib
import http.server
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dip_lite.engine.loop import fit
from dip_lite.errors import WeightsError
from dip_lite.images.samples import sample
from dip_lite.nets import alexnet
from dip_lite.nets.alexnet import LAYERS, Probe, cached, feature_error
from dip_lite.tasks.inversion import PRIORS, invert

# what torchvision calls each layer's output
NODES = dict(
    zip(
        LAYERS,
        [f"features.{i}" for i in range(13)] + [f"classifier.{i}" for i in (1, 2, 4, 5, 6)],
        strict=True,
    )
)


@pytest.fixture(scope="module")
def probe() -> Probe:
    return Probe("random")


@pytest.fixture(scope="module")
def picture() -> Tensor:
    return F.interpolate(sample("astronaut")[..., :256, 128:384], (64, 64), mode="area")


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """Weights of AlexNet's shapes in a file of a few megabytes: wide ones repeat one column."""
    from torchvision.models import alexnet as torchvision_alexnet

    with torch.device("meta"):
        layout = torchvision_alexnet(weights=None).state_dict()
    rng = torch.Generator().manual_seed(5)
    tensors = {}
    for name, shape in ((name, tuple(value.shape)) for name, value in layout.items()):
        if name.startswith("features"):
            tensors[name] = 0.05 * torch.randn(shape, generator=rng)
        else:
            column = 0.01 * torch.randn(shape[0], *[1] * (len(shape) - 1), generator=rng)
            tensors[name] = column.expand(shape)  # is saved as one column
    return tensors


@pytest.fixture(scope="module")
def file(state: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "own.pth"
    torch.save(state, path)
    return path


# --- features


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_agrees_with_torchvision(probe: Probe, layer: str) -> None:
    from torchvision.models.feature_extraction import create_feature_extractor

    x = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
    shown = (x - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)
    extract = create_feature_extractor(probe.net, {NODES[layer]: "y"})
    assert torch.allclose(probe.features(x, layer), extract(shown)["y"], atol=1e-5, rtol=1e-4)


def test_layers_differ_from_their_neighbours(probe: Probe, picture: Tensor) -> None:
    # so that a probe that stops one layer early or late cannot pass for the right one
    all_features = [probe.features(picture, layer).flatten() for layer in LAYERS]
    for name, before, after in zip(LAYERS[1:], all_features, all_features[1:], strict=False):
        assert before.shape != after.shape or not torch.allclose(before, after), name


def test_shapes_are_those_of_alexnet(probe: Probe, picture: Tensor) -> None:
    shapes = {layer: tuple(probe.features(picture, layer).shape[1:]) for layer in LAYERS}
    assert shapes["conv1"] == (64, 55, 55) and shapes["pool1"] == (64, 27, 27)
    assert shapes["conv2"] == (192, 27, 27) and shapes["conv3"] == (384, 13, 13)
    assert shapes["pool5"] == (256, 6, 6) and shapes["fc6"] == (4096,) and shapes["fc8"] == (1000,)


def test_what_comes_after_the_layer_is_not_computed(probe: Probe, picture: Tensor) -> None:
    ran: list[int] = []
    watched = [layer for layer in probe.net.modules() if isinstance(layer, torch.nn.Conv2d)]
    handles = [
        layer.register_forward_hook(lambda *_, i=i: ran.append(i))
        for i, layer in enumerate(watched)
    ]
    probe.features(picture, "relu2")
    for handle in handles:
        handle.remove()
    assert ran == [0, 1]


def test_a_layer_kept_is_not_overwritten_by_the_next(probe: Probe, picture: Tensor) -> None:
    conv1 = probe.features(picture, "conv1")
    before = conv1.clone()
    assert float(before.min()) < 0
    probe.features(picture, "pool2")
    assert torch.equal(conv1, before)


def test_the_probe_is_frozen_and_has_no_dropout(probe: Probe, picture: Tensor) -> None:
    assert not probe.net.training
    assert not any(p.requires_grad for p in probe.net.parameters())
    x = picture.clone().requires_grad_()
    probe.features(x, "fc8").square().sum().backward()
    assert all(p.grad is None for p in probe.net.parameters())
    assert torch.equal(probe.features(picture, "fc8"), probe.features(picture, "fc8"))


@pytest.mark.parametrize("shape", [(1, 3, 64, 64), (1, 1, 48, 80), (1, 3, 300, 231)])
def test_a_gradient_reaches_every_pixel_of_any_size(
    probe: Probe, shape: tuple[int, int, int, int]
) -> None:
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
    probe.features(x, "pool1").square().sum().backward()
    assert x.grad is not None and torch.isfinite(x.grad).all()
    assert float((x.grad != 0).float().mean()) > 0.95


def test_grey_is_seen_as_the_same_in_three_colours(probe: Probe, picture: Tensor) -> None:
    grey = picture.mean(1, keepdim=True)
    same = probe.features(grey.expand(-1, 3, -1, -1), "conv2")
    assert torch.allclose(probe.features(grey, "conv2"), same)


def test_a_wrong_layer_lists_the_right_ones(probe: Probe, picture: Tensor) -> None:
    with pytest.raises(ValueError, match=r"layer must be one of conv1, relu1, .*fc8, got 'pool3'"):
        probe.features(picture, "pool3")
    with pytest.raises(ValueError, match=r"got shape \(1, 2, 64, 64\)"):
        probe.features(picture[:, :2], "conv1")


# --- weights


def test_the_seed_decides_the_weights_and_nothing_global_moves(probe: Probe) -> None:
    before = torch.get_rng_state()
    again, other = Probe("random"), Probe("random", seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    for one, same, new in zip(
        probe.net.parameters(), again.net.parameters(), other.net.parameters(), strict=True
    ):
        assert torch.equal(one, same)
        assert one.ndim == 1 or not torch.equal(one, new)
    assert probe.name == "AlexNet with random weights"


def test_random_weights_have_the_deviation_of_he(probe: Probe) -> None:
    for name, p in probe.net.named_parameters():
        if p.ndim == 1:
            assert not p.any(), name
        else:
            expected = (2 / p[0].numel()) ** 0.5
            assert abs(float(p.std()) / expected - 1) < 0.02, name


def test_importing_the_package_does_not_import_torchvision() -> None:
    code = "import sys, dip_lite.tasks.inversion; print('torchvision' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"


def test_a_file_gives_the_features_torchvision_computes_from_it(
    file: Path, state: dict[str, Tensor], picture: Tensor
) -> None:
    ours = Probe(file)
    assert ours.name == "AlexNet from own.pth"
    for name, p in ours.net.named_parameters():
        assert torch.equal(p, state[name]), name
    assert ours.features(picture, "fc8").any()


def test_half_precision_is_taken_as_float32(state: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "half.pth"
    torch.save({name: value.half() for name, value in state.items()}, path)
    assert {p.dtype for p in Probe(path).net.parameters()} == {torch.float32}


def _without(state: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in state.items() if key != name}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: _without(state, "features.6.bias"), r'Missing key.*"features\.6\.bias"'),
        (
            lambda state: state | {"features.1.weight": torch.ones(3)},
            r'Unexpected key.*"features\.1\.weight"',
        ),
        (
            lambda state: state | {"features.0.weight": torch.ones(96, 3, 11, 11)},
            r"size mismatch for features\.0\.weight: .*\[96, 3, 11, 11\].*\[64, 3, 11, ",
        ),
        (lambda state: state | {"features.0.bias": torch.full((64,), torch.nan)}, "NaN"),
        (
            lambda state: state | {"features.0.bias": [0.0] * 64},
            r"features\.0\.bias.*expected torch.Tensor",
        ),
        (lambda state: list(state.values()), "got <class 'list'>"),
    ],
)
def test_a_file_of_another_layout_is_refused(
    state: dict[str, Tensor], tmp_path: Path, change: Callable[[Any], Any], message: str
) -> None:
    path = tmp_path / "other.pth"
    torch.save(change(dict(state)), path)
    with pytest.raises(WeightsError, match=f"does not hold the weights of .*{message}"):
        Probe(path)


def test_a_damaged_file_is_refused(file: Path, tmp_path: Path) -> None:
    for name, data in [("cut", file.read_bytes()[:100_000]), ("text", b"hello"), ("empty", b"")]:
        path = tmp_path / f"{name}.pth"
        path.write_bytes(data)
        with pytest.raises(WeightsError, match=r"cannot be read as a PyTorch state dict \("):
            Probe(path)
    with pytest.raises(WeightsError, match=r'nowhere.pth does not exist.*weights="random"'):
        Probe(tmp_path / "nowhere.pth")


# --- the download


class FileHandler(http.server.BaseHTTPRequestHandler):
    """Serves the file whole at /whole/, half of it at /cut/, other bytes at /other/."""

    data = b""
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        fault = self.path.split("/")[1]
        if fault == "gone":
            self.send_error(404)
            return
        body = b"not it" if fault == "other" else self.data
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if fault == "cut" else body)

    def log_message(self, *args: Any) -> None:
        pass


class FileServer:
    """A server, what it was asked for, and the address of each behaviour."""

    def __init__(self, port: int, name: str, asked: list[str]) -> None:
        self.port, self.name, self.asked = port, name, asked

    def url(self, fault: str) -> str:
        return f"http://127.0.0.1:{self.port}/{fault}/{self.name}"


@pytest.fixture
def files(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    data = file.read_bytes()
    asked: list[str] = []
    handler = type("Handler", (FileHandler,), {"data": data, "asked": asked})
    monkeypatch.setenv("DIP_LITE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    name = f"alexnet-own-{hashlib.sha256(data).hexdigest()[:8]}.pth"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield FileServer(server.server_address[1], name, asked)
        server.shutdown()
        thread.join()


def kept(tmp_path: Path) -> list[str]:
    """What is in the cache, temporary files too."""
    return [path.name for path in (tmp_path / "cache").glob("**/*") if path.is_file()]


def test_a_download_is_kept_and_not_asked_for_again(
    files: FileServer, tmp_path: Path, state: dict[str, Tensor], picture: Tensor
) -> None:
    url = files.url("whole")
    assert cached(url) is None and not files.asked  # looking asks for nothing
    probe = Probe("imagenet", url=url)
    assert probe.name == "AlexNet trained on ImageNet"
    assert torch.equal(probe.net.features[0].weight, state["features.0.weight"])  # type: ignore
    assert kept(tmp_path) == [files.name] and len(files.asked) == 1
    assert cached(url) == tmp_path / "cache" / files.name
    Probe("imagenet", url=url)
    assert len(files.asked) == 1


def test_torchvisions_own_download_is_used(files: FileServer, file: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "torch" / "hub" / "checkpoints" / files.name
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(file.read_bytes())
    assert cached(files.url("whole")) == theirs
    Probe("imagenet", url=files.url("whole"))
    assert not files.asked and kept(tmp_path) == []
    theirs.write_bytes(b"something else")
    Probe("imagenet", url=files.url("whole"))
    assert kept(tmp_path) == [files.name] and len(files.asked) == 1


def test_a_damaged_copy_is_replaced(files: FileServer, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / files.name).write_bytes(b"half of it")
    Probe("imagenet", url=files.url("whole"))
    assert len(files.asked) == 1 and kept(tmp_path) == [files.name]
    Probe("imagenet", url=files.url("whole"))
    assert len(files.asked) == 1


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("other", "is another file .invalid hash value .* was deleted"),
        ("cut", "was cut short or .* was deleted"),
        ("gone", "could not be downloaded from .*404"),
    ],
)
def test_a_bad_download_leaves_one_sentence_and_no_file(
    files: FileServer, tmp_path: Path, fault: str, message: str
) -> None:
    with pytest.raises(WeightsError, match=message) as caught:
        Probe("imagenet", url=files.url(fault))
    sentence = str(caught.value)
    assert 'weights="random"' in sentence and "\n" not in sentence and sentence.endswith(".")
    assert kept(tmp_path) == [] and len(files.asked) == 1
    Probe("imagenet", url=files.url("whole"))  # and the next try may go well


def test_without_a_network_there_is_one_sentence(files: FileServer, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and never listening: a connection is refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/{files.name}"
        with pytest.raises(WeightsError, match=r"refused.*check the network and try again, or use"):
            Probe("imagenet", url=url)
    assert kept(tmp_path) == []


def test_a_cache_that_is_no_folder_is_named(
    files: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DIP_LITE_CACHE", str(tmp_path / "file"))
    with pytest.raises(WeightsError, match=r"cannot be written .*DIP_LITE_CACHE"):
        Probe("imagenet", url=files.url("whole"))


def test_a_name_without_a_hash_is_refused() -> None:
    with pytest.raises(WeightsError, match="has no hash in its name"):
        cached("http://127.0.0.1/alexnet.pth")


def test_the_address_is_torchvisions() -> None:
    from torchvision.models import AlexNet_Weights

    assert AlexNet_Weights.IMAGENET1K_V1.url == alexnet.URL


def test_the_progress_is_shown_and_nothing_is_printed(
    files: FileServer, capsys: pytest.CaptureFixture[str]
) -> None:
    Probe("imagenet", url=files.url("whole"))
    out, err = capsys.readouterr()
    assert "100%" in err and out == ""


def test_a_read_copy_is_not_hashed(files: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    Probe("imagenet", url=files.url("whole"))
    monkeypatch.setattr(hashlib, "sha256", None)  # 233 MB take a second
    assert cached(files.url("whole")) is not None
    Probe("imagenet", url=files.url("whole"))


# --- inversion


def test_the_energy_is_zero_for_the_picture_and_one_for_no_features(
    probe: Probe, picture: Tensor
) -> None:
    for layer in ("conv1", "pool5", "fc8"):
        energy = feature_error(probe, layer, picture)
        assert float(energy(picture)) == 0
        assert float(energy(1 - picture)) > 1e-3
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1).expand(picture.shape)
    energy = feature_error(probe, "conv1", picture)  # without biases the mean has no features
    assert float(energy(mean)) == pytest.approx(1, abs=1e-4)


def test_a_layer_without_an_answer_is_refused(probe: Probe) -> None:
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1).expand(1, 3, 224, 224)
    with pytest.raises(ValueError, match="conv1 gives nothing but zeros"):
        feature_error(probe, "conv1", mean)


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("layer", ["conv2", "fc6"])
def test_every_prior_finds_a_picture_with_the_features(
    probe: Probe, picture: Tensor, prior: str, layer: str
) -> None:
    task = invert(picture, layer, prior=prior, probe=probe, preset="tiny", weight=0.01)
    snaps = list(fit(task, steps=40, stop=False))
    assert snaps[-1].x.shape == picture.shape
    assert snaps[-1].loss < 0.3 * snaps[0].loss
    wanted = feature_error(probe, layer, picture)(snaps[-1].x)
    assert float(wanted) < 0.4 * float(feature_error(probe, layer, picture)(snaps[0].x))


def test_the_features_of_the_layer_asked_for_are_matched(probe: Probe, picture: Tensor) -> None:
    # the energy that a task minimises is that of its layer, and of no other
    x = picture.flip(3)
    for layer in ("conv1", "conv3", "fc6"):
        wanted, got = probe.features(picture, layer), probe.features(x, layer)
        expected = float((got - wanted).square().sum() / wanted.square().sum())
        task = invert(picture, layer, probe=probe, preset="tiny")
        assert float(task.energy(x)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("shape", [(1, 40, 52), (3, 33, 17)])
def test_pictures_of_any_size_and_grey_are_inverted(
    probe: Probe, shape: tuple[int, int, int]
) -> None:
    x0 = torch.rand(1, *shape, generator=torch.Generator().manual_seed(0))
    for preset in ("fast", "tiny"):
        (*_, last) = fit(invert(x0, "conv1", probe=probe, preset=preset), steps=2)
        assert last.x.shape == x0.shape and last.stop_reason


def test_the_papers_network_is_as_the_authors_set_it(probe: Probe, picture: Tensor) -> None:
    task = invert(picture, "conv1", probe=probe, preset="paper")
    assert task.z.shape == (1, 32, 128, 128)  # padded: at least twice its smallest size
    assert 0 <= float(task.z.min()) and float(task.z.max()) <= 0.1 and task.reg_noise_std == 0
    assert (task.settings.optimiser, task.settings.lr, task.settings.steps) == ("adam", 1e-3, 3100)


def test_wrong_arguments_are_refused(probe: Probe, picture: Tensor) -> None:
    with pytest.raises(ValueError, match="prior must be one of deep, tv, none, got 'l2'"):
        invert(picture, prior="l2", probe=probe)
    with pytest.raises(ValueError, match="layer must be one of conv1"):
        invert(picture, "conv9", probe=probe)
    with pytest.raises(ValueError, match="preset must be one of"):
        invert(picture, preset="huge", probe=probe)
    with pytest.raises(ValueError, match="weight must be"):
        invert(picture, prior="tv", weight=-1, probe=probe)
