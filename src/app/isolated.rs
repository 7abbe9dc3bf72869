//! Isolated drills: the group's runbook, done on stand-ins. Before one is opened the roles of all real members are written into
//! its plan, so that its last step can say whether the drill touched them, whoever is there to take that step.

use std::sync::Arc;

use serde_json::Value;

use super::{App, AppError, Drawn, Outage, Prepared, Witnessed, looking, looking::LIMIT};
use crate::{
    driver::aftermath,
    model::{Plan, Role, Verb},
};

impl App {
    /// Everything up to the moment before an isolated drill is opened.
    pub(super) async fn prepare_isolated(&self, mut drawn: Drawn) -> Result<Prepared, AppError> {
        let nothing = Witnessed {
            survey: super::Survey::new(),
            outage: Outage::default(),
            estimates: Vec::new(),
            promotions: Vec::new(),
        };
        drawn.objections(&nothing)?;
        let Some(isolation) = &drawn.plan.isolation else { return Ok(drawn.prepared(nothing.outage, Vec::new())) };
        let real = self.tools.open_all(&isolation.real)?;
        let survey = looking::survey(&real, self.clock.as_ref(), LIMIT).await;
        let unseen = survey.iter().flat_map(|(name, facts)| facts.sides.iter().map(move |side| (name, side)));
        if let Some((name, side)) = unseen.into_iter().find(|(_, side)| matches!(side.role, Role::Unknown(_))) {
            return Err(AppError::Refused {
                what: format!(
                    "{name} in {} is {}, so nobody could say afterwards that it was not touched",
                    side.region, side.role
                ),
                remedy: "see that both regions can be reached from here, then drill".into(),
            });
        }
        let seen = Value::Object(aftermath::seen(&survey));
        let mut plan = Plan::clone(&drawn.plan);
        for step in plan.steps.iter_mut().filter(|step| step.verb == Verb::DrillUntouched) {
            let _first = step.with.insert("expected".into(), seen.clone());
        }
        drawn.plan = Arc::new(plan);
        Ok(drawn.prepared(nothing.outage, Vec::new()))
    }
}
