"""Plotly figures, made of data frames. Nothing here knows of Streamlit; a page's theme is ``"light"`` or ``"dark"``."""
