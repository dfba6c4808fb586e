//! `lobgym dashboard`: hands over to the Python package, which shows everything in a browser.

use super::hand_over::Package;

/// The page's server.
pub(super) const PACKAGE: Package = Package {
    name: "dashboard",
    module: "lobgym.dashboard",
    before: &[],
    imports: "lobgym.dashboard, pandas, plotly, streamlit",
    needs: "lobgym with Streamlit, Plotly and pandas",
    extras: "dashboard",
    page: "docs/dashboard.md",
};
