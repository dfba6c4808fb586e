"""The dashboard: trainings, comparisons, markets, portfolios and paper traders in a browser (docs/dashboard.md).

``lobgym dashboard`` or ``python -m lobgym.dashboard``; needs the extra ``lobgym[dashboard]`` (Streamlit, Plotly, pandas), ``import lobgym`` does not.
"""
