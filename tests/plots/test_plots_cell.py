from fewshot_core.plots import OPERATION_COLOURS, alternative, cell_figure
from fewshot_core.space import Architecture


def test_six_edges_with_their_operations():
    figure = cell_figure(Architecture((0, 1, 2, 3, 4, 3)))
    labels = [a for a in figure.layout.annotations if a.text]
    assert [a.text for a in labels] == ["none", "skip", "1x1", "3x3", "pool", "3x3"]
    assert [a.bgcolor for a in labels] == [OPERATION_COLOURS[i] for i in (0, 1, 2, 3, 4, 3)]
    assert labels[1].hovertext == "edge 2&lt;-0: skip_connect"
    arrows = [a for a in figure.layout.annotations if a.showarrow]
    assert len(arrows) == 5
    assert figure.data[0].line.dash == "dot"
    assert "2<-0 skip" in alternative(figure)


def test_no_architecture():
    figure = cell_figure(None)
    assert figure.layout.annotations[0].text == "no architecture is chosen"
    assert figure.layout.height == cell_figure(Architecture((0,) * 6)).layout.height
