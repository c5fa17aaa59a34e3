"""What results rest on, and which may stand side by side."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewshot_core.evidence import Evidence, group_by_evidence

FULL = Evidence("cifar10", 16, 5, "real", "untrained")

EVIDENCE = st.builds(
    Evidence,
    dataset=st.just("cifar10"),
    channels=st.sampled_from([2, 8, 16]),
    cells_per_stage=st.sampled_from([1, 5]),
    images=st.sampled_from(["real", "synthetic", ""]),
    weights=st.sampled_from(["untrained", "trained"]),
)


@pytest.mark.parametrize(
    ("changes", "scale", "badges"),
    [
        ({}, "full", ()),
        ({"images": ""}, "full", ()),
        ({"channels": 8, "cells_per_stage": 1}, "reduced", ("reduced scale",)),
        ({"cells_per_stage": 1}, "reduced", ("reduced scale",)),
        ({"protocol": "Quick", "reduced": True}, "reduced", ("reduced scale",)),
        ({"channels": 4, "images": "synthetic"}, "smoke", ("smoke test", "synthetic")),
        ({"weights": "trained"}, "full", ("trained weights",)),
        ({"channels": None, "images": "unknown"}, "unknown", ()),
    ],
)
def test_scale_and_badges(changes, scale, badges):
    evidence = replace(FULL, **changes)
    assert evidence.scale == scale
    assert evidence.badges == badges
    assert evidence.conclusive == (scale != "smoke")


def test_the_label_says_everything_but_the_data_set():
    found = replace(FULL, channels=8, cells_per_stage=1, images="synthetic", protocol="50 epochs")
    assert found.label == "8 channels, 1 cell · synthetic images · untrained · 50 epochs"
    assert Evidence("cifar10").label == "imported, network unknown"


@given(EVIDENCE, EVIDENCE)
def test_labels_of_different_evidence_differ(one, other):
    assert (one.label == other.label) == (one == other)


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
        assert {replace(evidence[member], images="") for member in members} == {
            replace(key, images="")
        }
        assert {evidence[member].images for member in members} <= {key.images, ""}
