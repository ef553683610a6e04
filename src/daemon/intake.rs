//! What intake does with slowed senders, for the figures.

use crate::{
    engine::view::View,
    server::Intake,
    telemetry::{Counter, Gauge, Metrics},
};

/// Brings the figures up to date.
pub(super) fn report(intake: &Intake, view: &View, metrics: &Metrics) {
    let slowed = u32::try_from(view.slowed.len()).unwrap_or(u32::MAX);
    metrics.set(Gauge::SendersSlowed, f64::from(slowed));
    metrics.add(Counter::PolicySlow, intake.tidy(view));
}
