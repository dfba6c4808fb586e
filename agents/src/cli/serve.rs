//! `lobgym serve` and `settings`: hand over to the Python package, which collects, trains and trades over HTTP.

use super::hand_over::Package;

const fn package(name: &'static str, before: &'static [&'static str]) -> Package {
    Package {
        name,
        module: "lobgym.serve",
        before,
        imports: "lobgym.serve, fastapi, uvicorn, pydantic_settings, duckdb, websockets",
        needs: "lobgym with FastAPI, uvicorn, pydantic-settings, DuckDB and websockets",
        extras: "serve",
        page: "docs/serve.md",
    }
}

/// Serves the API.
pub(super) const SERVE: Package = package("serve", &[]);
/// Prints the settings in force.
pub(super) const SETTINGS: Package = package("settings", &["settings"]);
