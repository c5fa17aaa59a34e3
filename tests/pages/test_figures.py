"""Figures that all sessions share."""

import plotly.graph_objects as go

from fewshot_core.dashboard.shared.figures import Picture, kept
from fewshot_core.plots import alternative


def _figure(height: int) -> go.Figure:
    trace = go.Scatter(x=[1.0, 2.0], y=[0.5, None])
    return go.Figure(trace, layout={"meta": {"alt": f"{height} high"}, "height": height})


def test_a_picture_is_sent_as_its_figure_is():
    figure = _figure(300)
    picture = Picture(figure)
    assert picture.to_json() == figure.to_json()
    assert alternative(picture) == "300 high"


def test_a_kept_drawing_is_drawn_once_for_each_question():
    asked: list[int] = []

    @kept
    def draw(height: int) -> go.Figure:
        asked.append(height)
        return _figure(height)

    first = draw(300)
    assert draw(300) is first
    assert alternative(draw(400)) == "400 high"
    assert asked == [300, 400]
