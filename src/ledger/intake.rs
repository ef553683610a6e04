//! Mail comes in: whose it is, over which network, how much, when.

use std::net::IpAddr;

use crate::{
    correlate::{MessageKey, Party},
    ledger::{
        Ledger, SenderId, SenderIndex,
        clients::Answerable,
        group::Source,
        identity,
        message::Message,
        network::{self, Place},
        saved,
        sender::Sender,
    },
    time::Timestamp,
};

impl Ledger {
    /// A message came in and its origin is known. `None`: nobody's mail, or not evidence against anyone.
    pub fn submission<'a>(
        &mut self,
        at: Timestamp,
        message: MessageKey,
        party: impl Into<Party<'a>>,
        recipients: u32,
        _size: u64,
    ) -> Option<SenderIndex> {
        let party = party.into();
        let sender = self.entry_of(at, party)?;
        let place = party
            .client_address
            .map(|address| self.setup.geo.place(address));
        let bin = self.hour_bin(at);
        self.changes.sender(sender);
        let entry = self.senders.get_mut(usize::try_from(sender.0).ok()?)?;
        if entry.roll(at) && !entry.is_young() {
            self.neighbourhood.day();
        }
        let networks = entry.homes.new;
        let novel = place.is_some_and(|place| self.neighbourhood.meet(entry, place, at));
        let count = f64::from(recipients.max(1));
        entry.last = entry.last.max(at);
        entry.messages += 1;
        entry.volume.add(at, count);
        entry.hours.add(bin);
        let envelope = party.sender.unwrap_or_default();
        entry.habits.bring(envelope, count, bin % 24);
        let context = entry.context_mut(novel);
        context.fade(at);
        context.each(|counts| counts.taken += count);
        let source = match (novel, party.client_address, place) {
            (true, Some(address), Some(place)) => Some(source(address, place)),
            _ => None,
        };
        self.changes.neighbourhood |= novel || entry.homes.new != networks;
        if let Some(source) = source {
            entry.remember_machine(source.machine);
            entry.last_source = Some(source);
            self.groups.join(at, sender.0, source);
            self.changes.groups = true;
        }
        self.open(
            message,
            Message::new(sender, novel, source, recipients.max(1), at),
        );
        self.queue_changes(at, sender, novel, recipients.max(1), 0);
        Some(sender)
    }

    /// The entry of whoever is answerable. A login that wrote before, as most mail has one, is found without its name being
    /// made.
    fn entry_of(&mut self, at: Timestamp, party: Party<'_>) -> Option<SenderIndex> {
        let Some(login) = identity::login(party) else {
            let id = self.answerable(at, party)?;
            self.note_client(at, party);
            return Some(self.entry(id, at));
        };
        if let Some(found) = self.numbered(party) {
            return Some(found);
        }
        let found = match self.index.login(login) {
            Some(found) => found,
            None => self.entry(SenderId::of(party)?, at),
        };
        if let Some(number) = party.number {
            self.index.number(number, found);
        }
        Some(found)
    }

    /// The entry of a login that has a number, if it is still the one that was noted.
    fn numbered(&self, party: Party<'_>) -> Option<SenderIndex> {
        let (login, found) = (party.login?, self.index.numbered(party.number?)?);
        match self.sender_id(found)? {
            SenderId::Sasl(name) if name.eq_ignore_ascii_case(login) => Some(found),
            _ => None,
        }
    }

    /// Looks up these parties all at once: a large ledger lies all over the memory, and to fetch many entries together takes
    /// little longer than to fetch one. Changes nothing; what is returned only shows that the work was done.
    #[must_use]
    pub fn fetch<'p>(&self, parties: impl Iterator<Item = Party<'p>>) -> u64 {
        parties
            .filter_map(|party| self.sender(self.index.numbered(party.number?)?))
            .map(Sender::touch)
            .fold(0, u64::wrapping_add)
    }

    /// The sender whose evidence a message is, and in whose case it is held: the login, else the envelope sender where
    /// that is a habit of its client, else the client. `None`: nobody's, or a client that is not trusted.
    #[must_use]
    pub fn answerable<'a>(&self, at: Timestamp, party: impl Into<Party<'a>>) -> Option<SenderId> {
        let party = party.into();
        let id = SenderId::of(party)?;
        let SenderId::From(sender) = &id else {
            let trusted = match &id {
                SenderId::Ip(_) => self.trusts(party.client_address),
                _ => true,
            };
            return trusted.then_some(id);
        };
        let client = SenderId::client(party)?;
        if matches!(client, SenderId::Ip(_)) && !self.trusts(party.client_address) {
            return None;
        }
        let (machine, clean) = self.client_of(&client, at);
        match self.clients.who(machine, self.hash(sender), at, clean) {
            Answerable::Sender => Some(id),
            Answerable::Client => Some(client),
        }
    }

    /// The number of a client, and whether it is free of suspicion.
    fn client_of(&self, client: &SenderId, at: Timestamp) -> (u64, bool) {
        let machine = match client {
            SenderId::Ip(address) => network::machine(*address),
            SenderId::Uid(uid) => (5 << 56) | u64::from(*uid),
            SenderId::Sasl(_) | SenderId::From(_) => 0,
        };
        let clean = self
            .find(client)
            .and_then(|found| self.sender(found))
            .is_none_or(|entry| entry.is_clean(at) && !entry.suspicion.held);
        (machine, clean)
    }

    /// Remembers which client brought which envelope sender.
    fn note_client(&mut self, at: Timestamp, party: Party<'_>) {
        if party.login.is_some_and(|login| !login.is_empty()) {
            return;
        }
        let (Some(SenderId::From(sender)), Some(client)) =
            (SenderId::of(party), SenderId::client(party))
        else {
            return;
        };
        let (machine, clean) = self.client_of(&client, at);
        let sender = self.hash(&sender);
        self.changes.clients |= self.clients.note(machine, sender, at, clean);
    }

    fn trusts(&self, client: Option<IpAddr>) -> bool {
        self.setup.trusted.is_empty()
            || client.is_none_or(|client| {
                self.setup
                    .trusted
                    .iter()
                    .any(|(network, length)| network::within(client, *network, *length))
            })
    }

    fn entry(&mut self, id: SenderId, at: Timestamp) -> SenderIndex {
        if let Some(sender) = self.index.get(&id) {
            return sender;
        }
        let key = saved::key_of(&self.setup, &id);
        if let Some(sender) = self.keys.get(&key).copied() {
            // Known from before a restart, but not by name.
            self.index.insert(id.clone(), sender);
            if let Some(entry) = self.sender_mut(sender) {
                entry.id = Some(id);
            }
            return sender;
        }
        let sender = SenderIndex(u32::try_from(self.senders.len()).unwrap_or(u32::MAX));
        self.senders.push(Sender::new(Some(id.clone()), key, at));
        self.index.insert(id, sender);
        self.keys.insert(key, sender);
        sender
    }

    fn open(&mut self, key: MessageKey, message: Message) {
        self.messages.insert(key, message);
        self.changes.message(key);
        while self.messages.len() > self.setup.max_messages {
            let Some((oldest, message)) = self.messages.pop_oldest() else {
                return;
            };
            self.left_queue(message.arrived, &message);
            self.changes.message(oldest);
            self.forgotten += 1;
        }
    }

    /// Mail goes on as another message within the house: what remote sides say of that one is said of this mail.
    pub fn hop(
        &mut self,
        at: Timestamp,
        message: MessageKey,
        from: MessageKey,
        recipients: u32,
    ) -> Option<SenderIndex> {
        let before = self.messages.get(from)?;
        let next = before.next_hop(recipients);
        let (sender, novel) = (next.sender, next.novel);
        self.open(message, next);
        self.queue_changes(at, sender, novel, recipients, 0);
        Some(sender)
    }

    /// The message left the queue.
    pub fn end(&mut self, at: Timestamp, message: MessageKey) -> Option<SenderIndex> {
        self.changes.message(message);
        let message = self.messages.remove(message)?;
        self.left_queue(at, &message);
        Some(message.sender)
    }
}

fn source(address: IpAddr, place: Place) -> Source {
    Source {
        machine: network::machine(address),
        site: network::site(address),
        network: place.network,
    }
}
