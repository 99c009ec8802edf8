"""The networks: shape, outputs, saving and loading."""

import json

import numpy as np
import pytest
import torch
from tissuestate.errors import InputError
from tissuestate.models import architecture
from tissuestate.models import frozen as forward
from tissuestate.models.architecture import Architecture, read_description
from tissuestate.models.frozen import FrozenNetwork
from tissuestate.models.network import (
    ACTIVATIONS,
    ClassifierNetwork,
    choose_device,
    load_network,
    save_network,
)
from tissuestate.models.training import predict_logits
from torch import nn

HEADS = {"disease_state": ("healthy", "tumour"), "tissue": ("brain", "liver", "lung")}


def build(**changes) -> ClassifierNetwork:
    torch.manual_seed(3)
    fields = {
        "n_features": 6,
        "widths": (8, 7, 6, 5, 4),
        "dropout": 0.3,
        "activation": "relu",
        "heads": HEADS,
    }
    return ClassifierNetwork(Architecture(**{**fields, **changes}))


def test_a_head_gives_one_logit_per_class():
    logits = build()(torch.zeros(5, 6))
    assert {head: tuple(z.shape) for head, z in logits.items()} == {
        "disease_state": (5, 2),
        "tissue": (5, 3),
    }


def test_dropout_follows_the_hidden_layers_three_to_five():
    kinds = [type(layer) for layer in build().hidden]
    plain, dropped = [nn.Linear, nn.ReLU], [nn.Linear, nn.ReLU, nn.Dropout]
    assert kinds == plain * 2 + dropped * 3


def test_forward_is_the_product_of_its_layers():
    network = build(dropout=0.0)
    network.set_input_scale(torch.full((6,), 2.0), torch.full((6,), 4.0))
    state = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    x = np.random.default_rng(0).normal(size=(3, 6)).astype(np.float32)
    hidden = (x - 2) / 4
    for number in range(0, 10, 2):
        hidden = hidden @ state[f"hidden.{number}.weight"].T + state[f"hidden.{number}.bias"]
        hidden = np.maximum(hidden, 0)
    expected = hidden @ state["heads.tissue.weight"].T + state["heads.tissue.bias"]
    with torch.no_grad():
        found = network(torch.from_numpy(x))["tissue"].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("dropout", [0.0, 1e-6, 0.2, 0.5])
def test_dropout_keeps_its_share_of_the_units_and_their_sum(dropout):
    masks = build(widths=(9, 8, 6, 5, 4), dropout=dropout).dropout_masks(30_001)
    assert [mask.shape for mask in masks] == (
        [(30_001, units) for units in (6, 5, 4)] if dropout > 1e-5 else []
    )
    for mask in masks:
        assert float((mask > 0).float().mean()) == pytest.approx(1 - dropout, abs=0.005)
        torch.testing.assert_close(mask.unique(), torch.tensor([0, 1 / (1 - dropout)]))


def test_masks_do_what_the_dropout_layers_of_torch_do():
    network, z = build(dropout=0.5), torch.randn(40, 6)
    drawn = []
    for layer in network.hidden:
        if isinstance(layer, nn.Dropout):
            layer.register_forward_hook(lambda layer, given, out: drawn.append(out != 0))
    network.train()
    expected = network.forward_standardised(z)
    masks = [2.0 * kept for kept in drawn]
    network.eval()
    for head, logits in network.forward_standardised(z, masks).items():
        torch.testing.assert_close(logits, expected[head])
        assert not torch.equal(logits, network.forward_standardised(z)[head])


def test_a_saved_network_comes_back_with_its_description(tmp_path):
    network = build()
    network.set_input_scale(torch.arange(6.0), torch.full((6,), 3.0))
    save_network(tmp_path, network, task="multitask", best_epoch=7)
    loaded = load_network(tmp_path)
    assert loaded.architecture == network.architecture
    assert not loaded.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, loaded.state_dict()[name])
    assert read_description(tmp_path)["best_epoch"] == 7


def test_the_direct_path_adds_a_linear_function_of_the_inputs():
    network = build(direct=True, dropout=0.0)
    network.set_input_scale(torch.full((6,), 2.0), torch.full((6,), 4.0))
    plain = build(dropout=0.0)
    plain.load_state_dict(
        {name: t for name, t in network.state_dict().items() if not name.startswith("direct.")}
    )
    x = torch.randn(5, 6)
    for head, logits in network(x).items():
        added = (x - 2) / 4 @ network.direct[head].weight.T
        torch.testing.assert_close(logits, plain(x)[head] + added)


@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_without_torch_the_logits_are_the_same(tmp_path, activation, direct):
    network = build(activation=activation, direct=direct)
    network.set_input_scale(torch.arange(6.0), torch.full((6,), 3.0))
    save_network(tmp_path, network)
    x = 20 * np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    frozen = FrozenNetwork.load(tmp_path)
    assert frozen.heads == HEADS
    for head, expected in predict_logits(network, x).items():
        np.testing.assert_allclose(frozen.logits(x)[head], expected, atol=1e-12)
        assert frozen.logits(x[:0])[head].shape == (0, len(HEADS[head]))


def test_torch_and_numpy_know_the_same_activations():
    assert tuple(ACTIVATIONS) == tuple(forward.ACTIVATIONS) == architecture.ACTIVATIONS


def test_equal_networks_are_saved_as_equal_bytes(tmp_path):
    for folder in ("one", "two"):
        save_network(tmp_path / folder, build(), task="multitask")
    for name in ("weights.safetensors", "network.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def _truncate(folder):
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-20])


def _other_width(folder):
    description = json.loads((folder / "network.json").read_text())
    description["architecture"]["widths"][0] = 9
    (folder / "network.json").write_text(json.dumps(description))


def _no_json(folder):
    (folder / "network.json").write_text("{")


def _not_finite(folder):
    network = build()
    with torch.no_grad():
        network.hidden[0].weight[0, 0] = float("nan")
    save_network(folder, network)


def _announce(folder, **entry):
    content = (folder / architecture.WEIGHTS).read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header[min(header)] |= entry
    text = json.dumps(header).encode()
    packed = len(text).to_bytes(8, "little") + text + content[8 + length :]
    (folder / architecture.WEIGHTS).write_bytes(packed)


def _huge_shape(folder):
    _announce(folder, shape=[10**12])


def _far_offsets(folder):
    _announce(folder, data_offsets=[0, 10**13])


def _huge_architecture(folder):
    path = folder / architecture.DESCRIPTION
    description = json.loads(path.read_text())
    description["architecture"]["widths"] = [10**7] * 5  # 400 TB of weights
    path.write_text(json.dumps(description))


def _no_weights(folder):
    (folder / "weights.safetensors").unlink()


@pytest.mark.parametrize(
    "damage",
    [
        _truncate,
        _other_width,
        _no_json,
        _not_finite,
        _no_weights,
        _huge_shape,
        _far_offsets,
        _huge_architecture,
    ],
)
def test_a_damaged_network_is_refused(tmp_path, damage):
    save_network(tmp_path, build())
    damage(tmp_path)
    for load in (load_network, FrozenNetwork.load):
        with pytest.raises(InputError, match=str(tmp_path)):
            load(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [{"activation": "step"}, {"dropout": 1.0}, {"widths": (8, 0, 4)}, {"heads": {"tissue": ()}}],
)
def test_an_impossible_architecture_is_refused(changes):
    with pytest.raises(InputError):
        build(**changes)


def test_a_device_is_chosen_or_taken_by_name():
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device().type in ("cpu", "cuda")
    with pytest.raises(InputError, match="abacus"):
        choose_device("abacus")


def test_a_gpu_reserved_for_a_job_that_trains_on_the_cpu_is_in_the_log(monkeypatch, caplog):
    for name in ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    choose_device()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    choose_device()
    assert not caplog.records
    monkeypatch.setenv("SLURM_JOB_GPUS", "3")
    choose_device()
    assert "SLURM_JOB_GPUS=3" in caplog.text and "torch sees none" in caplog.text
    caplog.clear()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    choose_device("auto")
    assert not caplog.records
    choose_device("cpu")
    assert "the config says 'device: cpu'" in caplog.text
