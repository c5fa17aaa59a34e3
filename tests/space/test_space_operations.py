import pytest

from fewshot_core.space import OPERATION_LABELS, OPERATIONS, edge_label, operation_set_label


def test_every_operation_has_a_short_name_of_its_own():
    assert len(set(OPERATION_LABELS)) == len(OPERATION_LABELS) == len(OPERATIONS)


@pytest.mark.parametrize(
    ("edge", "label"), list(enumerate(["1<-0", "2<-0", "2<-1", "3<-0", "3<-1", "3<-2"]))
)
def test_an_edge_is_written_target_first(edge, label):
    assert edge_label(edge) == label


def test_a_set_of_operations_is_written_in_the_order_given():
    assert operation_set_label([0, 1, 4]) == "none skip pool"
    assert operation_set_label((3, 2)) == "3x3 1x1"
    assert operation_set_label([]) == ""
