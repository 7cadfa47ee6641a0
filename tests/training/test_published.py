"""Published weights: licences before anything is fetched, names, hubs that cannot be reached."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
timm = pytest.importorskip("timm")

from ecotone.errors import BackendError  # noqa: E402
from ecotone.training.network import ReidNetwork, load_matching  # noqa: E402
from ecotone.training.published import PUBLISHED, check_licence, known_name, load_start  # noqa: E402
from ecotone.training.weights import read_weights, renamed  # noqa: E402
from tests.training.worlds import TINY  # noqa: E402


@pytest.fixture
def no_hub(monkeypatch):
    """Nothing is fetched: whoever tries is told that there is no connection."""
    def fail(*args: object, **options: object) -> None:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(timm, "create_model", fail)
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub, "hf_hub_download", fail)


@pytest.mark.parametrize("name", [
    "BVRA/MegaDescriptor-T-224", "hf-hub:BVRA/MegaDescriptor-T-224", "megadescriptor-t-224",
])
def test_no_commercial_use_is_refused_until_accepted(no_hub, name: str) -> None:
    network = "swin_tiny_patch4_window7_224"
    with pytest.raises(BackendError, match="cc-by-nc-4.0 .*--accept-license"):
        load_start(name, network, 224)
    with pytest.raises(BackendError, match="hub cannot be reached .*give its path in place"):
        load_start(name, network, 224, accepted=True)


def test_without_a_network_the_hub_is_not_asked_again_and_again(monkeypatch) -> None:
    import socket

    from ecotone.backends.torch_common import loading

    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for name in ("https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)

    def unknown(*args: object, **options: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    for found, offline in ((lambda *a, **o: [], False), (unknown, True)):
        monkeypatch.setattr(socket, "getaddrinfo", found)
        with loading("weights", "take a file"):
            assert constants.HF_HUB_OFFLINE is offline
        assert constants.HF_HUB_OFFLINE is False


def test_a_licence_that_is_not_stated_and_one_that_wants_consent_are_shown(no_hub) -> None:
    with pytest.raises(BackendError, match="state no licence"):
        load_start("conservationxlabs/miewid-msv2", "efficientnetv2_rw_m", 440)
    with pytest.raises(BackendError, match="dinov3-license"):
        load_start("vit_small_patch16_dinov3", "vit_small_patch16_dinov3", 256)
    assert check_licence("efficientnetv2_rw_m", accepted=False) == "apache-2.0"
    with pytest.raises(BackendError, match="hub cannot be reached"):
        load_start("miewid-msv3", "efficientnetv2_rw_m", 440, accepted=True)


def test_free_weights_need_no_word(no_hub) -> None:
    with pytest.raises(BackendError, match="hub cannot be reached"):
        load_start("pretrained", "efficientnetv2_rw_m", 440)


@pytest.mark.parametrize("name", PUBLISHED)
def test_another_architecture_is_told_by_both_names(no_hub, name: str) -> None:
    with pytest.raises(BackendError, match=f"{PUBLISHED[name].network}, but {TINY}"):
        load_start(name, TINY, 32, accepted=True)


def test_unknown_names_are_told() -> None:
    assert known_name("miewid") == "" and known_name("miewid-msv2").startswith("conservationx")
    with pytest.raises(BackendError, match="no such file, and no published checkpoint"):
        load_start("nowhere/nothing.pt", TINY, 32)


def as_miewid(network: ReidNetwork) -> dict[str, torch.Tensor]:
    """Weights by MiewID's names: backbone, pool, bn, and a head that is not ours."""
    names = {"pool.p": "backbone.global_pool.p"}
    state = {names.get(k, k.replace("norm.", "bn.") if k.startswith("norm.") else k): v
             for k, v in network.state_dict().items()}
    return {**state, "final.weight": torch.zeros(9, network.dimension)}


@pytest.mark.parametrize("kind", ["safetensors", "pt", "wrapped", "timm"])
def test_weights_of_many_kinds_are_read(tmp_path: Path, kind: str) -> None:
    network = ReidNetwork(TINY, 32)
    with torch.no_grad():
        network.pool.p.fill_(2.5)
    state = as_miewid(network)
    path = tmp_path / "weights.pt"
    if kind == "safetensors":
        from safetensors.torch import save_file

        path = tmp_path / "weights.safetensors"
        save_file(state, path)
    elif kind == "timm":
        whole = timm.create_model(TINY, pretrained=False, num_classes=7)
        whole.load_state_dict(network.backbone.state_dict(), strict=False)
        torch.save(whole.state_dict(), path)
    else:
        torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}}
                   if kind == "wrapped" else state, path)
    other = ReidNetwork(TINY, 32)
    lacking = load_matching(other, read_weights(path, TINY).state, str(path))
    assert all(torch.equal(a, b) for a, b in zip(
        network.backbone.state_dict().values(), other.backbone.state_dict().values(),
        strict=True))
    if kind == "timm":
        assert "pool.p" in lacking
    else:
        assert float(other.pool.p.detach()) == 2.5 and not lacking


def test_a_file_may_state_network_licence_and_pixels(tmp_path: Path) -> None:
    state = ReidNetwork(TINY, 32).backbone.state_dict()
    path = tmp_path / "weights.pt"
    torch.save({"state_dict": state, "architecture": TINY, "license": "mit", "mean": [0.5] * 3,
                "std": [0.5] * 3}, path)
    found = read_weights(path, TINY)
    assert found.licence == "mit" and found.mean == [0.5] * 3 == found.std
    with pytest.raises(BackendError, match=f"{TINY}, but test_resnet"):
        read_weights(path, "test_resnet")


def test_a_hub_folder_says_its_architecture(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "test_resnet"}))
    torch.save({"a": torch.zeros(1)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(BackendError, match=f"test_resnet, but {TINY}"):
        read_weights(tmp_path, TINY)


def test_files_that_hold_no_weights_are_told(tmp_path: Path) -> None:
    path = tmp_path / "bad.pt"
    path.write_bytes(b"no weights")
    with pytest.raises(BackendError, match="cannot be read as weights"):
        read_weights(path, TINY)
    torch.save({"a": 1}, path)
    with pytest.raises(BackendError, match="holds no weights"):
        read_weights(path, TINY)
    with pytest.raises(BackendError, match="holds none of"):
        read_weights(tmp_path, TINY)


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"a": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(BackendError, match="cannot be read as weights"):
        read_weights(tmp_path / "evil.pt", TINY)
    assert not (tmp_path / "ran").exists()


def test_classifiers_are_left_out() -> None:
    found = renamed({"stem.weight": 1, "classifier.weight": 2, "head.fc.bias": 3,
                     "head.norm.weight": 4})
    assert found == {"backbone.stem.weight": 1, "backbone.head.norm.weight": 4}
