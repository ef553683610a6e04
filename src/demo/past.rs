//! What happened before the play: ordinary days, as a rotated log tells them. A first start learns from it what is normal.
//!
//! Promise: all of it lies in the past, the last of it an hour ago; nothing in it is compressed, no thief is in it.

use std::time::Duration;

use crate::{
    demo::{
        cast::Letter,
        remote::Temper,
        world::{self, HOME},
    },
    time::Timestamp,
};

/// Days that are told.
pub const DAYS: u64 = 12;
/// Hours of a working day.
pub const WORKDAY: Duration = Duration::from_secs(9 * 3600);

/// When the `day`th day before `now` began (1 is yesterday): the same hour of the clock, and an hour before it ends.
#[must_use]
pub fn morning(now: Timestamp, day: u64) -> Timestamp {
    now - Duration::from_secs(day * 86_400) - Duration::from_secs(3600)
}

/// The log of these letters, each due after the beginning of its scene.
#[must_use]
pub fn log(scenes: Vec<(Timestamp, Vec<Letter>)>) -> String {
    let mut letters: Vec<(Timestamp, Letter)> = scenes
        .into_iter()
        .flat_map(|(begin, letters)| {
            letters
                .into_iter()
                .map(move |letter| (begin + letter.due, letter))
        })
        .collect();
    letters.sort_by_key(|(at, _)| *at);
    let mut text = String::new();
    for (number, (at, letter)) in letters.iter().enumerate() {
        tell(&mut text, number, *at, letter);
    }
    text
}

fn tell(text: &mut String, number: usize, at: Timestamp, letter: &Letter) {
    let id = format!("{:X}", 0x40_0000 + number);
    let mut line = |after: u64, daemon: &str, said: String| {
        let at = at + Duration::from_millis(after);
        text.push_str(&format!("{at} relay1 postfix/{daemon}[77]: {id}: {said}\n"));
    };
    let client = format!("client=unknown[{}]", letter.origin.address);
    match &letter.login {
        Some(login) => line(
            0,
            "submission/smtpd",
            format!("{client}, sasl_method=PLAIN, sasl_username={login}"),
        ),
        None if letter.origin.address.is_loopback() => {
            line(0, "pickup", format!("uid=0 from=<{}>", letter.sender));
        }
        None => line(0, "smtpd", client),
    }
    let message = format!("message-id=<{}@{HOME}>", letter.message);
    line(1, "cleanup", message);
    let envelope = format!(
        "from=<{}>, size={}, nrcpt={} (queue active)",
        letter.sender,
        letter.content.len(),
        letter.recipients.len()
    );
    line(2, "qmgr", envelope);
    for recipient in &letter.recipients {
        let place = recipient.rsplit('@').next().unwrap_or_default();
        let end = if recipient.starts_with("no-such") && knows_its_users(place) {
            format!(
                "dsn=5.1.1, status=bounced (host mx.{place}[192.0.2.99] said: 550 5.1.1 <{recipient}>: Recipient address rejected: no such user here (in reply to RCPT TO command))"
            )
        } else {
            "dsn=2.0.0, status=sent (250 2.0.0 Ok)".to_owned()
        };
        line(
            300,
            "smtp",
            format!(
                "to=<{recipient}>, relay=mx.{place}[192.0.2.99]:25, delay=0.3, delays=0/0/0.1/0.2, {end}"
            ),
        );
    }
    line(301, "qmgr", "removed".to_owned());
}

fn knows_its_users(place: &str) -> bool {
    world::places()
        .iter()
        .any(|(name, temper)| *name == place && temper.knows_its_users())
}

impl Temper {
    /// True where an address that does not exist is refused; elsewhere it is taken like any other.
    #[must_use]
    pub const fn knows_its_users(&self) -> bool {
        !matches!(self, Self::Accept | Self::Keep | Self::Refuse { .. })
    }
}
