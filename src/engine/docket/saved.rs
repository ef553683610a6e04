//! What of the docket is written down, and the way back.

use std::collections::BTreeMap;

use crate::{
    engine::{
        docket::{Docket, Kept, Slow},
        incident::Incident,
    },
    ledger::SenderId,
};

impl Docket {
    pub(in crate::engine) const fn kept(&self) -> &Kept {
        &self.kept
    }

    /// Incidents that changed since the last call, closed ones included.
    pub(in crate::engine) fn take_changed(&mut self) -> Vec<Incident> {
        let mut numbers = std::mem::take(&mut self.changed);
        numbers.sort_unstable();
        numbers.dedup();
        let open = numbers
            .iter()
            .filter_map(|number| self.incidents.get(number).cloned());
        open.chain(std::mem::take(&mut self.closed)).collect()
    }

    /// As new, with the same mode, brake and networks.
    pub(in crate::engine) fn acquit_all(&mut self) {
        let places = std::mem::take(&mut self.places);
        *self = Self::new(self.mode, self.brake, places.0);
        self.slowed_changed = true;
    }

    /// Who is limited at intake, if that changed since the last call.
    pub(in crate::engine) fn take_slowed(&mut self) -> Option<&BTreeMap<SenderId, Slow>> {
        std::mem::take(&mut self.slowed_changed).then_some(&self.slowed)
    }

    pub(in crate::engine) fn restore(
        &mut self,
        kept: Option<Kept>,
        slowed: BTreeMap<SenderId, Slow>,
        incidents: Vec<Incident>,
    ) {
        self.slowed = slowed;
        if let Some(kept) = kept {
            self.kept = kept;
            self.reckon();
        }
        for incident in incidents {
            self.kept.next = self.kept.next.max(incident.number + 1);
            if incident.closed.is_none() {
                self.open
                    .insert(incident.sender_id.clone(), incident.number);
                self.incidents.insert(incident.number, incident);
            }
        }
        self.picture();
    }
}
