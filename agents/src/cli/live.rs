//! `lobgym collect`, `replay-feed` and `store`: hand over to the Python package, which collects market data.

use super::hand_over::Package;

const fn package(name: &'static str, before: &'static [&'static str]) -> Package {
    Package {
        name,
        module: "lobgym.live",
        before,
        imports: "lobgym.live, duckdb, websockets",
        needs: "lobgym with DuckDB and websockets",
        extras: "live",
        page: "docs/live.md",
    }
}

/// Collects an exchange's messages and bars.
pub(super) const COLLECT: Package = package("collect", &["collect"]);
/// Serves a recording as the exchange would.
pub(super) const REPLAY_FEED: Package = package("replay-feed", &["replay-feed"]);
/// Looks into a store, or exports it.
pub(super) const STORE: Package = package("store", &["store"]);
