"""What a metric measures, on a page."""

import streamlit as st

from fewshot_core.metrics import METRICS


def show_metric_help(name: str) -> None:
    """Write a metric's equation, source, cost and variants."""
    info = METRICS.get(name)
    st.caption(info.description)
    with st.expander("Equation, source and cost", icon=":material/function:"):
        st.latex(info.equation)
        st.markdown(f"**Source**: {info.source}")
        st.markdown(f"**Cost**: {info.cost}")
        for variant, text in info.variants.items():
            st.markdown(f"**Variant {variant}**: {text}")
