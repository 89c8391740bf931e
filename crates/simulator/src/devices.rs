//! Devices in a world: some that are broken in one way wherever they are, and liars that claim to have any.
//!
//! In such worlds computations are traced, so that the fault of whoever is outvoted is located. A broken engine is wrong again
//! in the same way; what a liar says of its fault is drawn, and so is the device that it claims: often that of honest ones.

use protocol::{domain::Engine, fault::FaultClass};

use crate::{
    behaviour::Behaviour,
    chance::Chance,
    scenario::{Quarantines, Scenario, Traces},
};

/// So many worlds of a million have traces, where somebody is faulty and engines are put in quarantine.
const TRACED_PER_MILLION: u32 = 200_000;
/// So many of the faulty ones of such a world are broken, in a million; the others lie.
const BROKEN_PER_MILLION: u32 = 400_000;
/// The device that is broken wherever it is.
const BROKEN_DEVICE: u32 = 1;
/// Those that work.
const SOUND_DEVICES: [u32; 2] = [0, 2];

impl Scenario {
    /// Draws who has which device, and who is broken with it.
    pub(crate) fn draw_devices(&mut self, chance: &mut Chance) {
        let has_faulty = self.members.iter().any(|member| member.behaviour.is_faulty());
        if self.quarantines != Quarantines::Kept || !has_faulty || !chance.happens(TRACED_PER_MILLION) {
            return;
        }
        self.traces = Traces::Kept;
        // Where all compute on cards, one fault is a question to many.
        let all_cards = chance.happens(500_000);
        for member in &mut self.members {
            if all_cards {
                member.engine = Engine::Gpu;
            }
            if !member.behaviour.is_faulty() {
                member.device = chance.pick(&SOUND_DEVICES).unwrap_or(0);
            } else if chance.happens(BROKEN_PER_MILLION) {
                (member.behaviour, member.device) = (Behaviour::Broken, BROKEN_DEVICE);
            } else {
                member.device = chance.among_u32(0..=BROKEN_DEVICE + 1);
            }
        }
    }
}

/// What comes out when a worker computes again what it had wrong.
pub(crate) fn class_of(behaviour: Behaviour, chance: &mut Chance) -> FaultClass {
    let any = [
        FaultClass::Deterministic,
        FaultClass::Deterministic,
        FaultClass::Transient,
        FaultClass::Dishonest,
        FaultClass::Unanswered,
    ];
    match behaviour {
        Behaviour::Broken => FaultClass::Deterministic,
        _ => chance.pick(&any).unwrap_or(FaultClass::Transient),
    }
}
