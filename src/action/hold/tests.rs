use std::io;

use super::*;
use crate::{action::hands::HandsError, wire::holder::Reply};

/// Queue ID number `n` of the tests.
pub(in crate::action) fn id(n: usize) -> String {
    format!("4F2A1{n:05X}")
}

/// What happens to the queue before a call, by queue ID.
type Race = Box<dyn FnMut(&mut BTreeMap<String, Place>)>;

/// A queue with a holder that does as Postfix was measured to do.
#[derive(Default)]
pub(in crate::action) struct Queue {
    files: BTreeMap<String, Place>,
    bytes: BTreeMap<String, Vec<u8>>,
    races: Vec<Race>,
    calls: usize,
    largest: usize,
    fails: std::ops::Range<usize>,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl Queue {
    pub(in crate::action) fn with(range: std::ops::Range<usize>, place: Place) -> Self {
        let mut queue = Self::default();
        for n in range {
            queue.put(n, place);
        }
        queue
    }

    pub(in crate::action) fn put(&mut self, n: usize, place: Place) {
        self.files.insert(id(n), place);
    }

    pub(in crate::action) fn fill(&mut self, n: usize, bytes: Vec<u8>) {
        self.put(n, Place::Hold);
        self.bytes.insert(id(n), bytes);
    }

    pub(in crate::action) fn count(&self, place: Place) -> usize {
        self.files.values().filter(|found| **found == place).count()
    }

    pub(in crate::action) fn fail_after(&mut self, calls: usize) {
        self.fails = calls..usize::MAX;
    }

    fn outside(&self) -> Vec<String> {
        let outside = self
            .files
            .iter()
            .filter(|(_, place)| **place != Place::Hold);
        outside.map(|(id, _)| id.clone()).collect()
    }

    fn act(&mut self, verb: Verb, id: &str) {
        let Some(place) = self.files.get_mut(id) else {
            return;
        };
        match (verb, *place) {
            (Verb::Hold, Place::Active | Place::Deferred) => *place = Place::Hold,
            (Verb::Release, Place::Hold) => *place = Place::Deferred,
            (Verb::Requeue, Place::Hold) => *place = Place::Maildrop,
            (Verb::Delete, Place::Hold) => {
                self.files.remove(id);
            }
            _ => {}
        }
    }
}

impl Hands for Queue {
    fn call(&mut self, request: &Request) -> Result<Reply, HandsError> {
        request.validate()?;
        if !self.races.is_empty() {
            self.races.remove(0)(&mut self.files);
        }
        self.calls += 1;
        self.largest = self.largest.max(request.queue_ids.len());
        if self.fails.contains(&(self.calls - 1)) {
            return Err(HandsError::Broken(io::ErrorKind::UnexpectedEof.into()));
        }
        let mut outcomes = Vec::new();
        for id in &request.queue_ids {
            self.act(request.verb, id);
            let limit = usize::try_from(request.limit).unwrap();
            outcomes.push(Outcome {
                queue_id: id.clone(),
                place: self.files.get(id).copied().unwrap_or(Place::Gone),
                bytes: (request.verb == Verb::Read)
                    .then(|| self.bytes.get(id))
                    .flatten()
                    .map(|bytes| base64::encode(&bytes[..bytes.len().min(limit)])),
            });
        }
        Ok(Reply {
            outcomes,
            error: None,
        })
    }
}

/// A queue file as Postfix writes it: `done` recipients served, `left` not.
pub(in crate::action) fn queue_file(done: usize, left: usize, body: &str) -> Vec<u8> {
    let mut records: Vec<(u8, String)> = vec![
        (
            b'C',
            format!("{:>15} {:>15} {:>15}", body.len(), 512, done + left),
        ),
        (b'T', "1790000000 250000".to_owned()),
        (b'A', "sasl_username=anna@example.org".to_owned()),
        (b'S', "anna@example.org".to_owned()),
    ];
    for n in 0..done {
        records.push((b'D', format!("served{n}@example.net")));
    }
    for n in 0..left {
        records.push((b'R', format!("waiting{n}@example.net")));
    }
    records.push((b'M', String::new()));
    records.extend(body.lines().map(|line| (b'N', line.to_owned())));
    records.push((b'X', String::new()));
    records.push((b'E', String::new()));
    let mut bytes = Vec::new();
    for (kind, data) in records {
        bytes.push(kind);
        let mut length = data.len();
        while length > 127 {
            bytes.push(u8::try_from(length & 127).unwrap() | 128);
            length >>= 7;
        }
        bytes.push(u8::try_from(length).unwrap());
        bytes.extend_from_slice(data.as_bytes());
    }
    bytes
}

/// Sweeps with `rounds` rounds of time; `still_queued` tells the truth unless a list is given.
fn run(
    queue: &mut Queue,
    ids: Vec<String>,
    rounds: u32,
    says: &dyn Fn() -> Vec<String>,
) -> SweepReport {
    let mut left = rounds;
    sweep(queue, ids, &mut || says(), &mut || {
        left -= 1;
        left > 0
    })
}

#[test]
fn everything_queued_is_held_in_batches() {
    let mut queue = Queue::with(0..1201, Place::Active);
    let report = run(&mut queue, (0..1201).map(id).collect(), 5, &Vec::new);
    assert!(report.complete);
    assert_eq!(report.count(Fate::Held), 1201);
    assert_eq!((queue.calls, queue.largest, report.rounds), (3, BATCH, 1));
    assert_eq!(queue.outside(), Vec::<String>::new());
}

#[test]
fn a_message_that_is_still_being_received_is_held_when_it_is_in() {
    let mut queue = Queue::with(0..1, Place::Active);
    queue.put(1, Place::Incoming);
    queue.races = vec![
        Box::new(|_| {}),
        Box::new(|_| {}),
        Box::new(|files| {
            files.insert(id(1), Place::Active);
        }),
    ];
    let report = run(&mut queue, vec![id(0), id(1)], 9, &Vec::new);
    assert!(report.complete);
    assert_eq!((report.count(Fate::Held), report.rounds), (2, 3));
}

#[test]
fn when_the_time_is_up_what_is_outside_is_named() {
    let mut queue = Queue::with(0..1, Place::Incoming);
    queue.put(1, Place::Deferred);
    let report = run(&mut queue, vec![id(0), id(1)], 3, &Vec::new);
    assert!(!report.complete);
    assert_eq!(report.of(Fate::Receiving).collect::<Vec<_>>(), [id(0)]);
    assert_eq!(report.count(Fate::Held), 1);
    assert_eq!(report.rounds, 3);
}

#[test]
fn mail_that_comes_in_during_the_sweep_is_swept_too() {
    let mut queue = Queue::with(0..3, Place::Active);
    let named = std::cell::Cell::new(0);
    let report = run(&mut queue, vec![id(0)], 9, &|| {
        named.set(named.get() + 1);
        match named.get() {
            1 => vec![id(1), id(2)],
            _ => Vec::new(),
        }
    });
    assert!(report.complete);
    assert_eq!(report.count(Fate::Held), 3);
}

#[test]
fn a_message_that_moved_while_it_was_looked_for_is_looked_for_again() {
    // Between two directories when postsuper looked: in none of them, and in `deferred` afterwards.
    let mut queue = Queue {
        races: vec![
            Box::new(|_| {}),
            Box::new(|files| {
                files.insert(id(7), Place::Deferred);
            }),
        ],
        ..Queue::default()
    };
    let named = std::cell::Cell::new(0);
    let report = run(&mut queue, vec![id(7)], 9, &|| {
        named.set(named.get() + 1);
        if named.get() == 1 {
            vec![id(7)]
        } else {
            Vec::new()
        }
    });
    assert!(report.complete);
    assert_eq!(report.of(Fate::Held).collect::<Vec<_>>(), [id(7)]);
}

#[test]
fn whoever_keeps_naming_what_is_settled_does_not_keep_the_sweep_alive() {
    let mut queue = Queue::with(0..1, Place::Active);
    let report = run(&mut queue, vec![id(0), id(9)], 100, &|| vec![id(0), id(9)]);
    assert!(report.complete);
    assert_eq!(report.rounds, 3);
    assert_eq!((report.count(Fate::Held), report.count(Fate::Gone)), (1, 1));
}

#[test]
fn a_queue_id_that_comes_back_is_held_again() {
    let mut queue = Queue::with(0..1, Place::Active);
    let rounds = std::cell::Cell::new(0);
    let back = |files: &mut BTreeMap<String, Place>| {
        files.insert(id(0), Place::Active);
    };
    let nothing = |_: &mut BTreeMap<String, Place>| {};
    queue.races = (0..6)
        .map(|n| {
            if n % 2 == 0 {
                Box::new(back) as Race
            } else {
                Box::new(nothing)
            }
        })
        .collect();
    // Named in every other round, and each time it is there.
    let report = run(&mut queue, vec![id(0), id(1)], 9, &|| {
        rounds.set(rounds.get() + 1);
        let named = if rounds.get() % 2 == 0 { id(0) } else { id(1) };
        if rounds.get() < 6 {
            vec![named]
        } else {
            Vec::new()
        }
    });
    assert!(report.complete);
    assert_eq!(queue.count(Place::Hold), 1);
    assert_eq!(report.rounds, 6);
}

#[test]
fn a_holder_that_is_down_is_asked_again_until_it_is_up() {
    let mut queue = Queue::with(0..600, Place::Active);
    queue.fails = 0..3;
    let report = run(&mut queue, (0..600).map(id).collect(), 9, &Vec::new);
    assert!(report.complete);
    assert_eq!(report.count(Fate::Held), 600);
    assert!(report.last_error.is_some());
    queue.fails = 0..usize::MAX;
    queue.put(600, Place::Active);
    let report = run(&mut queue, vec![id(600)], 2, &Vec::new);
    assert!(!report.complete);
    assert_eq!(report.of(Fate::Failed).collect::<Vec<_>>(), [id(600)]);
}

#[test]
fn what_is_no_queue_id_is_not_sent_and_spoils_nothing() {
    let mut queue = Queue::with(0..2, Place::Active);
    let hostile = ["ALL", "-", "", "../../etc", "4F2A1 -d"].map(str::to_owned);
    let mut ids = hostile.to_vec();
    ids.extend([id(0), id(1)]);
    let report = run(&mut queue, ids, 9, &|| vec!["ALL".to_owned()]);
    assert!(report.complete);
    assert_eq!(report.count(Fate::Held), 2);
    assert_eq!(report.count(Fate::Failed), hostile.len());
}

#[test]
fn sweeping_again_changes_nothing() {
    let mut queue = Queue::with(0..50, Place::Deferred);
    let ids: Vec<String> = (0..50).map(id).collect();
    let first = run(&mut queue, ids.clone(), 2, &Vec::new);
    assert_eq!(run(&mut queue, ids, 2, &Vec::new), first);
}

#[test]
fn a_look_tells_husks_from_saved_recipients() {
    let mut queue = Queue::default();
    queue.fill(0, queue_file(0, 3, "Subject: x\n\nbody"));
    queue.fill(1, queue_file(2, 0, "Subject: x\n\nbody"));
    queue.fill(2, queue_file(1, 400, "Subject: x\n\nbody"));
    queue.fill(3, queue_file(1, 1, &"x\n".repeat(9000)));
    queue.fill(4, b"garbage".to_vec());
    let ids: Vec<String> = (0..6).map(id).chain(Some("ALL".to_owned())).collect();
    let looked = look(&mut queue, &ids).unwrap();
    let recipients: Vec<Option<u64>> = looked.iter().map(|l| l.recipients).collect();
    assert_eq!(
        recipients,
        [Some(3), Some(0), Some(400), Some(1), None, None]
    );
    let husks: Vec<&str> = looked
        .iter()
        .filter(|l| l.is_husk())
        .map(|l| l.queue_id.as_str())
        .collect();
    assert_eq!(husks, [id(1)]);
    assert_eq!(looked[5].place, Place::Gone);
    assert_eq!(
        looked[0].arrival,
        Some(Timestamp::from_micros(1_790_000_000_250_000))
    );
}

/// A queue that others change while it is swept.
#[derive(Clone, Debug)]
struct Shared(std::rc::Rc<std::cell::RefCell<Queue>>);

impl Hands for Shared {
    fn call(&mut self, request: &Request) -> Result<Reply, HandsError> {
        self.0.borrow_mut().call(request)
    }
}

/// What Postfix and the thief do between two rounds.
#[derive(Clone, Copy, Debug)]
enum Meanwhile {
    Arrives(usize),
    MovesOn(usize),
    Leaves(usize),
    HolderFails,
}

fn meanwhile() -> impl proptest::strategy::Strategy<Value = Meanwhile> {
    use proptest::prelude::*;
    prop_oneof![
        (0..40_usize).prop_map(Meanwhile::Arrives),
        (0..40_usize).prop_map(Meanwhile::MovesOn),
        (0..40_usize).prop_map(Meanwhile::MovesOn),
        (0..40_usize).prop_map(Meanwhile::Leaves),
        Just(Meanwhile::HolderFails),
    ]
}

fn happen(queue: &mut Queue, what: Meanwhile) {
    queue.fails = 0..0;
    match what {
        Meanwhile::Arrives(n) => {
            queue.files.entry(id(n)).or_insert(Place::Incoming);
        }
        Meanwhile::MovesOn(n) => {
            if let Some(place) = queue.files.get_mut(&id(n)) {
                *place = match *place {
                    Place::Incoming => Place::Active,
                    Place::Active => Place::Deferred,
                    Place::Deferred => Place::Active,
                    other => other,
                };
            }
        }
        Meanwhile::Leaves(n) => {
            // Delivery agents do not reach into `hold`.
            if queue.files.get(&id(n)) != Some(&Place::Hold) {
                queue.files.remove(&id(n));
            }
        }
        Meanwhile::HolderFails => queue.fails = 0..usize::MAX,
    }
}

proptest::proptest! {
    /// Whatever happens meanwhile: a sweep that says it is complete left nothing outside `hold`, what it says is held
    /// is held, and it loses no message.
    #[test]
    fn a_complete_sweep_left_nothing_outside(
        first in proptest::collection::vec(0..40_usize, 0..40),
        history in proptest::collection::vec(meanwhile(), 0..60),
    ) {
        let queue = Shared(std::rc::Rc::default());
        for n in &first {
            queue.0.borrow_mut().put(*n, Place::Deferred);
        }
        let mut hands = queue.clone();
        let mut history = history.into_iter();
        let report = sweep(
            &mut hands,
            first.iter().copied().map(id).collect(),
            &mut || queue.0.borrow().outside(),
            &mut || {
                for what in history.by_ref().take(3) {
                    happen(&mut queue.0.borrow_mut(), what);
                }
                history.len() > 0
            },
        );
        let queue = queue.0.borrow();
        if report.complete {
            proptest::prop_assert_eq!(queue.outside(), Vec::<String>::new());
        }
        for id in report.of(Fate::Held) {
            proptest::prop_assert_eq!(queue.files.get(id), Some(&Place::Hold));
        }
        for (id, place) in &queue.files {
            if *place == Place::Hold {
                proptest::prop_assert_eq!(report.fates.get(id), Some(&Fate::Held));
            }
        }
    }
}
