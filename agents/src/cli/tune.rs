//! `lobgym tune`: hands over to the Python package, which searches hyperparameters with Optuna.

use super::hand_over::Package;

/// The search.
pub(super) const PACKAGE: Package = Package {
    name: "tune",
    module: "lobgym.tuning",
    before: &[],
    imports: "lobgym.tuning",
    needs: "lobgym with Optuna and the learners",
    extras: "agents,tune",
    page: "docs/tuning.md",
};
