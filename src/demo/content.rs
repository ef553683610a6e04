//! What the letters say: ordinary mail that is different every time, and one phishing campaign whose copies differ only
//! in a token, a link and a reference number, as campaigns do.

use crate::demo::{
    random::Random,
    witness::{IDENTITY, MESSAGE},
};

/// What goes into the head of a letter.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// `From:`; an address.
    pub from: &'a str,
    /// `To:`; an address.
    pub to: &'a str,
    /// Who really sends it (a marker that only the remote sides read).
    pub identity: &'a str,
    /// The letter's own name, unique in the run.
    pub message: &'a str,
}

/// An ordinary letter of one person to another.
#[must_use]
pub fn ham(head: Head<'_>, dice: &mut Random) -> Vec<u8> {
    let topic = dice.word(TOPICS);
    let mut text = head_of(head, &format!("{topic}, {}", dice.word(DAYS)));
    text.push_str("Hello,\n\n");
    for _ in 0..3 + dice.below(4) {
        let line = format!(
            "{} {} {} {} {}.\n",
            dice.word(OPENINGS),
            dice.word(TOPICS),
            dice.word(VERBS),
            dice.word(DAYS),
            dice.word(ENDINGS),
        );
        text.push_str(&line);
    }
    text.push_str(&format!("\nBest wishes\n{}\n", head.from));
    text.into_bytes()
}

/// One copy of the campaign.
#[must_use]
pub fn phish(head: Head<'_>, campaign: &str, dice: &mut Random) -> Vec<u8> {
    let token = format!("{:016x}", dice.next());
    let number = dice.below(90_000) + 10_000;
    let mut text = head_of(head, &format!("Your mailbox is almost full ({number})"));
    text.push_str(&format!(
        "Dear customer,\n\n\
         your mailbox has reached its limit and incoming messages are being returned.\n\
         To keep your messages you have to confirm your password within 24 hours.\n\n\
         https://{campaign}/confirm/{token}\n\n\
         Mailboxes that are not confirmed will be closed and their content will be deleted\n\
         without further notice. This letter was written by a machine, do not answer it.\n\n\
         Reference {token}\n\
         The support team of your mail service\n"
    ));
    text.into_bytes()
}

/// A newsletter; everyone gets the same.
#[must_use]
pub fn news(head: Head<'_>) -> Vec<u8> {
    let mut text = head_of(head, "News of our club, autumn issue");
    text.push_str(
        "Dear members,\n\n\
         the summer is over, the boats are back in the boat house and the winter programme is ready.\n\
         The first lecture is about the birds of the lake; coffee and cake are served afterwards.\n\
         Please pay your subscription before the end of the year, our treasurer will be grateful.\n\n\
         The editors\n",
    );
    text.into_bytes()
}

/// The body of a message under the head of another: what a second thief sends.
#[must_use]
pub fn copy_of(content: &[u8], head: Head<'_>) -> Vec<u8> {
    let text = String::from_utf8_lossy(content).replace("\r\n", "\n");
    let (_, body) = text.split_once("\n\n").unwrap_or(("", &text));
    let mut copy = head_of(head, "Your mailbox is almost full");
    copy.push_str(body);
    copy.into_bytes()
}

fn head_of(head: Head<'_>, subject: &str) -> String {
    let Head {
        from,
        to,
        identity,
        message,
    } = head;
    format!(
        "From: <{from}>\nTo: <{to}>\nSubject: {subject}\nMessage-ID: <{message}@client.example>\n\
         {IDENTITY}: {identity}\n{MESSAGE}: {message}\nMIME-Version: 1.0\n\
         Content-Type: text/plain; charset=utf-8\n\n"
    )
}

const TOPICS: &[&str] = &[
    "the offer for the new roof",
    "our summer concert",
    "the minutes of the meeting",
    "the invoice of last month",
    "the key to the boat house",
    "the trip to the lake",
    "the second chapter",
    "the order of screws",
    "the parents' evening",
    "the rehearsal",
    "the broken printer",
    "the garden fence",
    "the train tickets",
    "the birthday present",
    "the choir's new score",
    "the heating in room four",
];
const DAYS: &[&str] = &[
    "on Monday morning",
    "on Tuesday",
    "next Wednesday",
    "on Thursday evening",
    "this Friday",
    "at the weekend",
    "in the afternoon",
    "before the holidays",
    "as soon as possible",
    "by the end of the month",
];
const OPENINGS: &[&str] = &[
    "I think that",
    "As you know,",
    "We were told that",
    "My sister says that",
    "It seems that",
    "Please note that",
    "I am glad that",
    "Nobody told me that",
    "Let us hope that",
    "You asked whether",
];
const VERBS: &[&str] = &[
    "will be ready",
    "can be collected",
    "has to wait",
    "was a great success",
    "must be paid for",
    "needs another look",
    "is finished",
    "will be postponed",
    "was found again",
    "should be repaired",
];
const ENDINGS: &[&str] = &[
    "if the weather stays dry",
    "and everybody is invited",
    "but I have no time then",
    "as we agreed last week",
    "and I shall bring a cake",
    "unless somebody objects",
    "so please call me",
    "and then we go home",
];

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Head<'_> = Head {
        from: "anna@example.org",
        to: "ben@example.net",
        identity: "anna",
        message: "m1",
    };

    #[test]
    fn no_two_ordinary_letters_are_alike_and_copies_are() {
        let mut dice = Random::new(1);
        let body = |content: &[u8]| copy_of(content, HEAD);
        assert_ne!(body(&ham(HEAD, &mut dice)), body(&ham(HEAD, &mut dice)));
        let copy = phish(HEAD, "login.example", &mut dice);
        assert_eq!(body(&copy), body(&body(&copy)));
    }
}
