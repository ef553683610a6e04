//! Work, mail and requests: done in order, once, and again after a crash.

use super::*;

fn add_job(store: &mut Store, job: NewJob) {
    let jobs = vec![job];
    store
        .commit(&Commit {
            jobs,
            ..Commit::default()
        })
        .unwrap();
}

fn end_job(store: &mut Store, number: i64, end: JobEnd) {
    let ended_jobs = vec![(number, end)];
    store
        .commit(&Commit {
            ended_jobs,
            ..Commit::default()
        })
        .unwrap();
}

#[test]
fn work_is_done_in_order_of_urgency_once_and_again_after_a_crash() {
    let dir = TempDir::new().unwrap();
    let mut store = Store::open(&path(&dir)).unwrap();
    let jobs = vec![
        job(JobKind::Alert, t(0)),
        job(JobKind::Evidence, t(50)),
        job(JobKind::Hold, t(0)),
    ];
    let commit = Commit {
        incidents: vec![incident(1)],
        jobs,
        ..Commit::default()
    };
    store.commit(&commit).unwrap();
    let hold = store.claim_job(t(1), &[]).unwrap().unwrap();
    assert_eq!((hold.kind, hold.attempts), (JobKind::Hold, 1));
    assert_eq!(store.claim_job(t(1), &[JobKind::Hold]).unwrap(), None);
    let alert = store.claim_job(t(1), &[]).unwrap().unwrap();
    assert_eq!(alert.kind, JobKind::Alert);
    let early = store.claim_job(t(1), &[]).unwrap();
    assert_eq!(early, None, "evidence is not due yet");
    assert_eq!(store.next_job().unwrap(), Some(t(50)));
    let error = "no route".to_owned();
    end_job(&mut store, alert.number, JobEnd::Retry { at: t(30), error });
    // The process dies while it sweeps: the sweep is due again, and it is the second attempt.
    drop(store);
    let mut store = Store::open(&path(&dir)).unwrap();
    store.resume_work().unwrap();
    let hold = store.claim_job(t(1), &[]).unwrap().unwrap();
    assert_eq!((hold.kind, hold.attempts), (JobKind::Hold, 2));
    end_job(&mut store, hold.number, JobEnd::Done);
    let alert = store.claim_job(t(30), &[]).unwrap().unwrap();
    assert_eq!(alert.last_error.as_deref(), Some("no route"));
}

#[test]
fn deciding_again_does_not_bring_finished_work_back_but_the_next_generation_is_new_work() {
    let dir = TempDir::new().unwrap();
    let mut store = Store::open(&path(&dir)).unwrap();
    store.commit(&decision()).unwrap();
    let hold = store.claim_job(t(0), &[]).unwrap().unwrap();
    end_job(&mut store, hold.number, JobEnd::Done);
    let mut again = job(JobKind::Hold, t(0));
    add_job(&mut store, again.clone());
    assert_eq!(store.claim_job(t(9), &[JobKind::Hold]).unwrap(), None);
    again.generation = 1;
    add_job(&mut store, again);
    let hold = store.claim_job(t(9), &[]).unwrap().unwrap();
    assert_eq!((hold.kind, hold.generation), (JobKind::Hold, 1));
}

#[test]
fn a_mail_is_tried_until_it_is_sent_or_given_up() {
    let dir = TempDir::new().unwrap();
    let mut store = Store::open(&path(&dir)).unwrap();
    let commit = Commit {
        incidents: vec![incident(1)],
        mails: vec![mail("PW-1.1"), mail("PW-1.2")],
        ..Commit::default()
    };
    store.commit(&commit).unwrap();
    let first = store.claim_mail(t(0)).unwrap().unwrap();
    let second = store.claim_mail(t(0)).unwrap().unwrap();
    assert_eq!(
        (first.key.as_str(), second.key.as_str()),
        ("PW-1.1", "PW-1.2")
    );
    let error = || "450 later".to_owned();
    let ended_mails = vec![
        (
            first.number,
            MailEnd::Retry {
                at: t(60),
                error: error(),
            },
        ),
        (
            second.number,
            MailEnd::Failed {
                at: t(1),
                error: error(),
            },
        ),
    ];
    store
        .commit(&Commit {
            ended_mails,
            ..Commit::default()
        })
        .unwrap();
    assert_eq!(store.claim_mail(t(59)).unwrap(), None);
    assert_eq!(store.next_mail().unwrap(), Some(t(60)));
    assert_eq!(store.mails_waiting().unwrap(), 1);
    let first = store.claim_mail(t(60)).unwrap().unwrap();
    assert_eq!((first.attempts, first.last_error), (2, Some(error())));
    let ended_mails = vec![(first.number, MailEnd::Sent { at: t(61) })];
    store
        .commit(&Commit {
            ended_mails,
            ..Commit::default()
        })
        .unwrap();
    assert_eq!(store.mails_waiting().unwrap(), 0);
    store.commit(&commit).unwrap();
    assert_eq!(store.claim_mail(t(99)).unwrap(), None, "sent once is sent");
}

#[test]
fn a_request_is_seen_by_the_daemon_and_answered_once() {
    let dir = TempDir::new().unwrap();
    let mut daemon = Store::open(&path(&dir)).unwrap();
    let mut person = Store::open(&path(&dir)).unwrap();
    let before = daemon.data_version().unwrap();
    assert_eq!(daemon.data_version().unwrap(), before);
    let arguments = json!({"incident": 1, "reason": "a \"quoted\" reason"});
    let number = person.submit("release", &arguments, "mk", t(0)).unwrap();
    assert_ne!(daemon.data_version().unwrap(), before);
    let seen = daemon.new_requests(10).unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].number, &seen[0].arguments), (number, &arguments));
    let answer = |state, text: &str| Answer {
        request: number,
        state,
        result: json!(text),
        at: t(1),
    };
    let answers = vec![
        answer(RequestState::Done, "released 512"),
        answer(RequestState::Failed, "again"),
    ];
    daemon
        .commit(&Commit {
            answers,
            ..Commit::default()
        })
        .unwrap();
    assert_eq!(daemon.new_requests(10).unwrap(), []);
    let answered = person.request(number).unwrap().unwrap();
    assert_eq!(answered.state, RequestState::Done);
    assert_eq!(answered.result, Some(json!("released 512")));
    assert!(!person.withdraw(number).unwrap());
    let number = person.submit("hold", &json!({}), "mk", t(2)).unwrap();
    assert!(person.withdraw(number).unwrap());
    assert_eq!(daemon.new_requests(10).unwrap(), []);
}
