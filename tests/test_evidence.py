"""What results rest on, and which may stand side by side."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewshot_core.errors import UnknownNameError
from fewshot_core.evidence import Evidence, find_evidence, group_by_evidence
from fewshot_core.runs import Network, SearchRequest, SplitRequest, TrainingRequest
from fewshot_core.search import PRESETS, SearchOptions
from fewshot_core.search.options import protocol_label
from fewshot_core.space import SubSpace
from fewshot_core.splitting import TreeOptions

FULL = Evidence("cifar10", 16, 5, "real", "untrained")

EVIDENCE = st.builds(
    Evidence,
    dataset=st.just("cifar10"),
    channels=st.sampled_from([2, 8, 16]),
    cells_per_stage=st.sampled_from([0, 1, 5]),
    images=st.sampled_from(["real", "synthetic", ""]),
    weights=st.sampled_from(["untrained", "trained"]),
    protocol=st.sampled_from(["", "Quick"]),
    batch=st.sampled_from(["", "batch of 16"]),
    tree=st.sampled_from(["", "edges 3<-2"]),
)
ROWS = tuple(SubSpace.full().rows)
QUICK = PRESETS.get("quick").search


@pytest.mark.parametrize(
    ("changes", "scale", "badges"),
    [
        ({}, "full", ()),
        ({"images": ""}, "full", ()),
        ({"channels": 8, "cells_per_stage": 1}, "reduced", ("reduced scale",)),
        ({"cells_per_stage": 1}, "reduced", ("reduced scale",)),
        ({"cells_per_stage": 0}, "full", ()),
        ({"protocol": "Quick", "reduced": True}, "reduced", ("reduced scale",)),
        ({"channels": 4, "images": "synthetic"}, "smoke", ("smoke test", "synthetic")),
        ({"weights": "trained"}, "full", ("trained weights",)),
        ({"channels": None, "images": "unknown"}, "unknown", ("network unknown",)),
    ],
)
def test_scale_and_badges(changes, scale, badges):
    evidence = replace(FULL, **changes)
    assert evidence.scale == scale
    assert evidence.badges == badges
    assert evidence.conclusive == (scale != "smoke")


def test_the_label_says_everything_but_the_data_set():
    found = replace(FULL, channels=8, cells_per_stage=1, images="synthetic", protocol="50 epochs")
    assert found.label == "8 channels, 1 cell · synthetic images · 50 epochs"
    assert Evidence("cifar10").label == "imported, network unknown"


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        (TreeOptions(), ""),
        (TreeOptions.create((5, 4, 3)), "edges 3<-2, 3<-1, 3<-0"),
        (TreeOptions.create((0, 1)), "edges 1<-0, 2<-0"),
        (TreeOptions.create((0, 1, 2), 3), "3, 3, 3 groups"),
        (TreeOptions.create((0, 1, 2), balanced=True), "balanced"),
        (TreeOptions.create((0, 1, 2), policy="random"), "3 random edges"),
    ],
)
def test_another_tree_is_other_evidence(tree, said):
    usual, other = SplitRequest("cifar10", "snip"), SplitRequest("cifar10", "snip", tree=tree)
    assert other.evidence.tree == said
    assert said in other.evidence.label
    free = replace(other, metric="params").evidence
    assert other.evidence.accepts(free)
    assert usual.evidence.accepts(free) == (said == "")
    assert (usual.evidence.rank < other.evidence.rank) == bool(said)


@given(EVIDENCE, EVIDENCE)
def test_labels_of_different_evidence_differ(one, other):
    assert (one.label == other.label) == (one.key == other.key) == (one == other)


def test_results_without_images_stand_beside_those_with():
    none = replace(FULL, images="")
    synthetic = replace(FULL, images="synthetic")
    small = replace(none, channels=8)
    items = [("a", none), ("b", synthetic), ("c", FULL), ("d", small)]
    found = group_by_evidence(items)
    assert found == {FULL: ["a", "c"], synthetic: ["a", "b"], small: ["d"]}
    assert list(found) == [FULL, synthetic, small]
    assert FULL.accepts(none)
    assert not none.accepts(FULL)


@given(st.lists(EVIDENCE, max_size=12))
def test_every_result_is_in_a_group_and_groups_are_homogeneous(evidence):
    groups = group_by_evidence(enumerate(evidence))
    assert set().union(*groups.values()) == set(range(len(evidence)))
    for key, members in groups.items():
        for member in members:
            assert evidence[member] in (key, replace(key, images="", batch=""))


def test_one_is_found_by_its_key():
    small = replace(FULL, channels=8, cells_per_stage=1, protocol="50 epochs, 3,200 images")
    assert small.key == "8x1-real-untrained-50-epochs-3-200-images"
    assert find_evidence([FULL, small], small.key) == small
    assert find_evidence([FULL, small], None) == FULL
    assert find_evidence([], None) is None
    with pytest.raises(UnknownNameError, match="expected one of 16x5-real-untrained"):
        find_evidence([FULL], "all")


def test_the_strongest_group_is_first_and_then_the_largest():
    quick, long = replace(FULL, protocol="Quick"), replace(FULL, protocol="100 epochs")
    items = [("a", replace(FULL, channels=4)), ("b", long), ("c", quick), ("d", quick)]
    assert [key.protocol for key in group_by_evidence(items)] == ["Quick", "100 epochs", ""]


def test_notes_of_a_single_result():
    small = replace(FULL, channels=4, images="synthetic")
    assert FULL.notes() == ()
    assert small.notes(demo=True, one_seed=True) == ("smoke test", "synthetic", "demo", "one seed")


@pytest.mark.parametrize(
    ("request_", "label", "badges"),
    [
        (SplitRequest("cifar10", "snip"), "16 channels, 5 cells · real images · untrained", ()),
        (
            SplitRequest("cifar10", "snip", images="synthetic", network=Network(4, 1)),
            "4 channels, 1 cell · synthetic images · untrained",
            ("smoke test", "synthetic"),
        ),
        (
            SplitRequest("cifar10", "params", images="synthetic"),
            "16 channels, 5 cells · no images · untrained",
            (),
        ),
        (SplitRequest("flowers", "random", space="small-cnn"), "small-cnn · no network", ()),
        (
            SplitRequest("jigsaw", "random", space="trans-nas-bench-101-micro"),
            "trans-nas-bench-101-micro · no network",
            (),
        ),
        (
            SplitRequest("cifar10", "random", space="nas-bench-macro"),
            "nas-bench-macro · full width · no images · untrained",
            (),
        ),
        (
            SplitRequest("cifar10", "snip", network=Network(checkpoint="a.pt")),
            "16 channels, 5 cells · real images · trained",
            ("trained weights",),
        ),
        (
            SplitRequest("cifar10", "snip", tree=TreeOptions.create((0,), warm_up_epochs=3)),
            "16 channels, 5 cells · real images · 3 warm-up epochs, 2,048 images · edges 1<-0",
            (),
        ),
        (
            SearchRequest("cifar10", "snas", ROWS),
            "16 channels, 5 cells · real images · Paper",
            (),
        ),
        (
            SearchRequest("cifar10", "snas", ROWS, replace(QUICK, epochs=50), checkpoint="a.pt"),
            "8 channels, 1 cell · real images · trained · 50 epochs, 3,200 images",
            ("reduced scale", "trained weights"),
        ),
        (
            TrainingRequest("cifar10", PRESETS.get("smoke").training, images="synthetic"),
            "2 channels, 1 cell · synthetic images · Smoke test",
            ("smoke test", "synthetic"),
        ),
    ],
)
def test_requests_say_what_their_results_rest_on(request_, label, badges):
    assert request_.evidence.label == label
    assert request_.evidence.badges == badges


def test_options_that_cannot_change_a_result_are_no_protocol():
    hot = replace(QUICK, temperature=2.0)
    assert SearchRequest("cifar10", "darts-1st", ROWS, hot).evidence.protocol == "Quick"
    assert SearchRequest("cifar10", "snas", ROWS, hot).evidence.protocol == (
        "20 epochs, 3,200 images, temperature 2.0"
    )


def test_a_protocol_says_all_that_differs():
    assert protocol_label(SearchOptions()) == "Paper"
    assert protocol_label(SearchOptions(epochs=600)) == "600 epochs, all images"
    few = SearchOptions(images=3_200)
    assert protocol_label(few) == "50 epochs, 3,200 images, architecture learning rate 0.0003"
