//! Who is asked next: the choice of engine and formula for a worker on a task, so that the winners can be spread.
//!
//! A seat is given to a worker only if the seats left after it can still bring the spread that the policy asks for.
//! Workers of one operator (or device) never share a task where that axis is named; engines and formulas are
//! balanced over the seats.

use std::sync::Arc;

use protocol::{
    constant::Formula,
    domain::{Axis, Engine},
    identity::NodeId,
    message::AuditOrder,
};

use crate::{
    tally::{Tally, Trial},
    worker::Worker,
};

/// How a worker would compute a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// By which engine.
    pub engine: Engine,
    /// On which device.
    pub device: Arc<str>,
    /// By which method.
    pub formula: Formula,
    /// What to test instead of computing.
    pub audit: Option<AuditOrder>,
}

/// Why a worker is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// It voted, has a lease, or failed here before.
    Asked,
    /// It would not differ from the others on this axis.
    NotDistinct(Axis),
    /// The engines of it that could are in quarantine, or held back for a fault of their kind of device.
    Quarantined,
}

/// How `worker` would compute the next replica of a task, or why it is not asked.
///
/// # Errors
/// [`Unfit`] when it may not take a seat.
pub fn place(tally: &Tally, id: &NodeId, worker: &Worker) -> Result<Placement, Unfit> {
    if let Some(trial) = tally.trial().filter(|_| tally.is_open()) {
        return place_auditor(tally, trial, id, worker);
    }
    if !tally.may_ask(id) {
        return Err(Unfit::Asked);
    }
    // A replica that is run only for the outcome of a decided task changes no vote: any worker will do.
    let spread: &[(Axis, u32)] = if tally.is_open() { &tally.rules().spread } else { &[] };
    let named = |axis: Axis| spread.iter().any(|(named, _)| *named == axis);
    if named(Axis::Operator) && tally.anyone_on(Axis::Operator, &worker.operator) {
        return Err(Unfit::NotDistinct(Axis::Operator));
    }
    let is_able = |engine: &Engine| tally.terms().engines.contains(engine);
    if !worker.open_engines().any(|(engine, _)| is_able(engine))
        && worker.engines.iter().any(|(engine, _)| is_able(engine))
    {
        return Err(Unfit::Quarantined);
    }
    let engine = worker
        .open_engines()
        .filter(|(engine, _)| is_able(engine))
        .filter(|(_, device)| !named(Axis::Device) || !tally.anyone_on(Axis::Device, device))
        .min_by_key(|(engine, _)| {
            let shown = || occurrences(&tally.values_on(Axis::Engine), &engine.to_string());
            // A GPU is preferred where neither is needed more.
            (if named(Axis::Engine) { shown() } else { 0 }, *engine == Engine::Cpu)
        })
        .ok_or(Unfit::NotDistinct(Axis::Device))?;
    let mut formulas = tally.formulas();
    let formula = if named(Axis::Formula) {
        let shown = tally.values_on(Axis::Formula);
        formulas.min_by_key(|formula| occurrences(&shown, formula.name()))
    } else {
        formulas.next()
    };
    let placement = Placement {
        engine: engine.0,
        device: Arc::clone(&engine.1),
        formula: formula.unwrap_or(Formula::Direct),
        audit: None,
    };
    leaves_room_for_spread(tally, spread, &placement)?;
    Ok(placement)
}

/// Whether `worker` may test what is on trial, and by which engine: of those that it has, one of the kind that the fewest
/// auditors were asked for.
pub(crate) fn place_auditor(
    tally: &Tally,
    trial: &Trial,
    id: &NodeId,
    worker: &Worker,
) -> Result<Placement, Unfit> {
    if !tally.may_audit(id, trial, trial.insiders) {
        return Err(Unfit::Asked);
    }
    let is_named = |axis: Axis| tally.rules().spread.iter().any(|(named, _)| *named == axis);
    if is_named(Axis::Operator) && tally.anyone_in_trial_on(trial, Axis::Operator, &worker.operator) {
        return Err(Unfit::NotDistinct(Axis::Operator));
    }
    let is_able = |engine: &Engine| tally.engines_wanted().contains(engine);
    let able = worker.engines.iter().filter(|(engine, _)| is_able(engine)).count();
    let open: Vec<_> = worker.open_engines().filter(|(engine, _)| is_able(engine)).collect();
    if open.is_empty() {
        return Err(if able > 0 { Unfit::Quarantined } else { Unfit::Asked });
    }
    let engine = open
        .into_iter()
        .filter(|(_, device)| {
            !is_named(Axis::Device) || !tally.anyone_in_trial_on(trial, Axis::Device, device)
        })
        .min_by_key(|(engine, _)| (tally.auditors_on(trial, *engine), *engine == Engine::Cpu))
        .ok_or(Unfit::NotDistinct(Axis::Device))?;
    let (engine, device) = (engine.0, Arc::clone(&engine.1));
    Ok(Placement { engine, device, formula: Formula::Audit, audit: Some(trial.order) })
}

fn occurrences(values: &[String], value: &str) -> usize {
    values.iter().filter(|shown| *shown == value).count()
}

/// A seat that adds no new value on an axis is given only if the other vacant seats can bring the missing ones.
fn leaves_room_for_spread(tally: &Tally, spread: &[(Axis, u32)], placement: &Placement) -> Result<(), Unfit> {
    for (axis, needed) in spread {
        let value = match axis {
            Axis::Engine => placement.engine.to_string(),
            Axis::Formula => placement.formula.to_string(),
            Axis::Operator | Axis::Device => continue,
        };
        let mut shown = tally.values_on(*axis);
        shown.sort_unstable();
        shown.dedup();
        if shown.contains(&value) {
            let missing = (*needed as usize).saturating_sub(shown.len());
            if missing >= tally.vacant_seats() as usize {
                return Err(Unfit::NotDistinct(*axis));
            }
        }
    }
    Ok(())
}
