//! The scene at the inbound MX: strangers send the same content from outside, and others send ordinary mail.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    time::Duration,
};

use crate::demo::{
    Error,
    cast::Letter,
    client::Origin,
    content::{self, Head},
    random::Random,
    report::Figures,
    traffic::{Posted, Traffic},
    warden::Setup,
    witness::Outcome,
    world::{HOME, INBOX, World},
};

/// Copies, and ordinary letters.
const EACH: usize = 20;
/// Longest wait for the publication.
const PATIENCE: Duration = Duration::from_secs(20);

/// Plays it: waits until a digest of the evidence is published, then sends both kinds of mail and counts.
///
/// # Errors
/// [`Error::Late`] when nothing is published; [`Error::Io`].
pub fn scene(
    world: &World,
    setup: &Setup,
    evidence: &Path,
    figures: &mut Figures,
    dice: &mut Random,
    say: &mut dyn FnMut(&str),
) -> Result<(), Error> {
    let Some(mx) = &world.mx else { return Ok(()) };
    let published = world.stop.wait_for("a published digest", PATIENCE, || {
        let status = setup.ask(&["status"])?;
        let count = status
            .get("digests")
            .and_then(serde_json::Value::as_u64)
            .unwrap_or(0);
        Ok((count > 0).then_some(count))
    })?;
    say(&format!(
        "Published: {published} digests of what is on hold"
    ));
    let sample = samples(evidence)
        .first()
        .map(fs_err::read)
        .and_then(Result::ok)
        .unwrap_or_default();
    let copies = Traffic::start(
        copies(&sample, dice),
        mx.address(),
        &world.witness,
        &world.stop,
    )?;
    let ham = Traffic::start(ham(dice), mx.address(), &world.witness, &world.stop)?;
    let (copies, ham) = (copies.finish(), ham.finish());
    let refused = copies.iter().filter(|letter| is_refused(letter)).count();
    figures.refused = Some((refused, copies.len()));
    let arrived = || {
        world.witness.count(|seen| {
            &*seen.place == INBOX && seen.outcome == Outcome::Accepted && seen.is_of("stranger")
        })
    };
    let all = world
        .stop
        .wait_for("the ordinary mail to arrive", PATIENCE, || {
            Ok((arrived() >= ham.len()).then_some(()))
        });
    figures.delivered = Some((arrived(), ham.len()));
    if !matches!(all, Ok(()) | Err(Error::Late { .. })) {
        return all;
    }
    let reply = copies
        .first()
        .and_then(|letter| letter.reply.as_ref())
        .map(|reply| reply.text.as_str());
    say(&format!(
        "Inbound MX: {refused} of {} copies refused ({}); {} of {} ordinary letters delivered",
        copies.len(),
        reply.unwrap_or("no answer"),
        arrived(),
        ham.len()
    ));
    Ok(())
}

fn is_refused(letter: &Posted) -> bool {
    letter
        .reply
        .as_ref()
        .is_some_and(|reply| reply.text.starts_with("550 5.7.1"))
}

/// The decoded messages in the evidence.
fn samples(evidence: &Path) -> Vec<PathBuf> {
    let mut samples: Vec<PathBuf> = walkdir::WalkDir::new(evidence)
        .into_iter()
        .flatten()
        .map(walkdir::DirEntry::into_path)
        .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
        .collect();
    samples.sort();
    samples
}

fn copies(sample: &[u8], dice: &mut Random) -> Vec<Letter> {
    (0..EACH)
        .map(|number| {
            letter(number, "copy", dice, |head, _| {
                content::copy_of(sample, head)
            })
        })
        .collect()
}

fn ham(dice: &mut Random) -> Vec<Letter> {
    (0..EACH)
        .map(|number| letter(number, "stranger", dice, content::ham))
        .collect()
}

fn letter(
    number: usize,
    identity: &str,
    dice: &mut Random,
    write: impl FnOnce(Head<'_>, &mut Random) -> Vec<u8>,
) -> Letter {
    let sender = format!("{identity}{number}@elsewhere.example");
    let recipient = format!("user{:02}@{HOME}", number + 1);
    let message = format!("{identity}-{number}");
    let head = Head {
        from: &sender,
        to: &recipient,
        identity,
        message: &message,
    };
    let host = u8::try_from(number % 200 + 1).unwrap_or(1);
    Letter {
        due: Duration::from_millis(50).saturating_mul(u32::try_from(number).unwrap_or(0)),
        lane: number % 4,
        login: None,
        origin: Origin {
            address: IpAddr::V4(Ipv4Addr::new(203, 0, 113, host)),
            port: 25_000 + u16::from(host),
        },
        content: write(head, dice),
        identity: identity.to_owned(),
        recipients: vec![recipient.clone()],
        sender,
        message,
    }
}
