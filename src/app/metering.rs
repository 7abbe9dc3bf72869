//! A run's events become figures, on their way to whoever watches.

use super::{App, AppError};
use crate::{
    engine::Progress,
    meter::{Meter, RunFigures},
    model::{Event, Run, RunId},
};

/// Tells the meter of each event, and then whoever else is told.
pub struct Metered<'a> {
    meter: Meter,
    next: &'a mut dyn Progress,
}

impl<'a> Metered<'a> {
    /// `next` hears of everything, too.
    pub fn new(meter: &Meter, next: &'a mut dyn Progress) -> Self {
        Self { meter: meter.clone(), next }
    }
}

impl Progress for Metered<'_> {
    fn event(&mut self, event: &Event, run: &Run) {
        self.meter.event(event, run);
        self.next.event(event, run);
    }
}

impl App {
    /// Takes down what a run measured, by its journal: after its end.
    pub async fn meter_run(&self, meter: &Meter, id: &RunId) -> Result<(), AppError> {
        let (run, _) = self.read(id).await?;
        let measures = self.measures(id).await?;
        #[expect(clippy::cast_precision_loss, reason = "a run takes less than 2^52 milliseconds")]
        let recovery_time_seconds = measures.recovery_time.total_ms.map(|ms| ms as f64 / 1_000.0);
        let data_loss_seconds = measures.recovery_point.worst_seconds;
        meter.measured(&run, RunFigures { recovery_time_seconds, data_loss_seconds });
        Ok(())
    }
}
