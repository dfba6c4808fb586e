"""What Streamlit runs at every click: the menu and the chosen section. A section is imported when it is first opened."""

import streamlit as st


def overview() -> None:
    """What there is, and how it stands."""
    from lobgym.dashboard.sections import overview as section

    section.show({page.title: page for page in PAGES})


def training() -> None:
    """Trainings as they run."""
    from lobgym.dashboard.sections import training as section

    section.show()


def performance() -> None:
    """One result closely."""
    from lobgym.dashboard.sections import performance as section

    section.show()


def strategies() -> None:
    """Strategies beside one another, by market."""
    from lobgym.dashboard.sections import comparison as section

    section.show()


def market() -> None:
    """A book, played."""
    from lobgym.dashboard.sections import market as section

    section.show()


def portfolio() -> None:
    """Backtests."""
    from lobgym.dashboard.sections import portfolio as section

    section.show()


def live() -> None:
    """Traders and brokers."""
    from lobgym.dashboard.sections import live as section

    section.show()


# No icon: Streamlit would fetch it from the network.
st.set_page_config(page_title="lobgym", layout="wide")
# Denser than Streamlit's own: a laptop's screen shows a section's choices and its first figures at once.
st.html(
    "<style>[data-testid=stMainBlockContainer]{padding:4rem 3rem 3rem}"
    "[data-testid=stMetricValue]{font-size:1.35rem}[data-testid=stVerticalBlock]{gap:.7rem}</style>"
)
PAGES = [
    st.Page(overview, title="Overview", url_path="overview", default=True),
    st.Page(training, title="Training", url_path="training"),
    st.Page(performance, title="Performance", url_path="performance"),
    st.Page(strategies, title="Strategies", url_path="strategies"),
    st.Page(market, title="Market", url_path="market"),
    st.Page(portfolio, title="Portfolio", url_path="portfolio"),
    st.Page(live, title="Live", url_path="live"),
]
st.navigation(PAGES, position="top").run()
