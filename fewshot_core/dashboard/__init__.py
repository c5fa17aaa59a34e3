"""The app. Besides ``pages/`` and ``app.py``, only this package imports streamlit."""
