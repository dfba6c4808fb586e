//! `lobgym direction`: hands over to the Python package, which trains XGBoost on bars.

use super::hand_over::Package;

/// Probabilities that a price will be higher, walk-forward.
pub(super) const PACKAGE: Package = Package {
    name: "direction",
    module: "lobgym.direction",
    before: &[],
    imports: "lobgym.direction, duckdb, xgboost",
    needs: "lobgym with XGBoost and DuckDB",
    extras: "xgboost",
    page: "docs/direction.md",
};
