"""Devices, mixed precision and compilation, as far as a CPU can show them."""

from contextlib import nullcontext

import pytest
import torch
from torch import nn

from fewshot_core.search import SearchError
from fewshot_core.search.algorithms.base import mean_loss
from fewshot_core.search.compute import Compute
from fewshot_core.search.loop import Search, make_start

MIXED = Compute(torch.device("cpu"), mixed_precision=True)


def test_mixed_precision_is_for_cuda_only():
    assert not Compute.create("cpu", mixed_precision=True).mixed_precision
    assert isinstance(Compute.create("cpu").autocast(), nullcontext)


def test_a_device_that_is_not_there_is_an_error():
    with pytest.raises(SearchError, match=r"the device 'gpu' cannot be used here .* choose 'cpu'"):
        Compute.create("gpu")


def test_forward_passes_are_in_bfloat16_and_losses_in_float32(tiny_data):
    seen = []

    def network(images, weights):
        logits = nn.functional.linear(images.flatten(1), torch.ones(4, 192))
        seen.append(logits.dtype)
        return logits

    loss, _ = mean_loss(network, None, tiny_data.train.take(torch.arange(4)), MIXED)
    assert seen == [torch.bfloat16]
    assert loss.dtype == torch.float32


def test_a_search_in_mixed_precision_stays_close(tiny_data, tiny_options, mixed):
    losses = []
    for compute in (MIXED, Compute(torch.device("cpu"))):
        start = make_start(mixed, 4, tiny_options)
        search = Search("snas", start, tiny_data, tiny_options, compute=compute)
        losses.append([record.valid_loss for record in search.run()])
        assert search.supernet.stem.conv.weight.dtype == torch.float32
    assert losses[0] == pytest.approx(losses[1], rel=0.1)
    assert losses[0] != losses[1]


def test_finite_differences_are_never_in_mixed_precision(tiny_data, tiny_options, mixed):
    start = make_start(mixed, 4, tiny_options)
    search = Search("darts-2nd", start, tiny_data, tiny_options, compute=MIXED)
    assert not search.compute.mixed_precision


def test_a_network_is_compiled_only_where_that_is_asked_for(monkeypatch):
    compiled = []
    monkeypatch.setattr(nn.Module, "compile", lambda self: compiled.append(self))
    network = nn.Linear(2, 2)
    Compute.create("cpu").prepare(network)
    assert compiled == []
    Compute.create("cpu", compiled=True).prepare(network)
    assert compiled == [network]
