//! What is read off the remote sides' records, the spool and the evidence directory; nothing here asks postwarden.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::{
    demo::{
        Error,
        instance::Instance,
        traffic::Posted,
        witness::{IDENTITY, MESSAGE, Outcome, Witness, header},
    },
    postfix::queue_file::QueueFile,
    time::Timestamp,
};

/// A message in `hold/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// When it came there: the rename is the last change of its inode.
    pub since: Timestamp,
    /// Who really sent it.
    pub identity: String,
    /// Which message it is.
    pub message: String,
    /// The queue file.
    pub file: PathBuf,
}

/// What is in `hold/` now; husks, which were delivered while they were put there, are not counted.
#[must_use]
pub fn held(relay: &Instance) -> Vec<Held> {
    let mut held: Vec<Held> = relay
        .queue("hold")
        .into_iter()
        .filter_map(|file| {
            let status = fs_err::metadata(&file).ok()?;
            let message = QueueFile::parse(&fs_err::read(&file).ok()?)?;
            if message.is_husk() {
                return None;
            }
            let micros = status.ctime().saturating_mul(1_000_000) + status.ctime_nsec() / 1000;
            Some(Held {
                since: Timestamp::from_micros(micros),
                identity: header(&message.content, IDENTITY).unwrap_or_default(),
                message: header(&message.content, MESSAGE).unwrap_or_default(),
                file,
            })
        })
        .collect();
    held.sort_by_key(|held| held.since);
    held
}

/// The attack as the remote sides saw it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attack {
    /// First 5yz.
    pub first_rejection: Option<Timestamp>,
    /// Recipients that a remote side accepted, with the times.
    pub accepted: Vec<Timestamp>,
    /// Recipients that a remote side rejected.
    pub rejected: usize,
}

/// What the remote sides saw of one identity until now.
#[must_use]
pub fn attack(witness: &Witness, identity: &str) -> Attack {
    let seen = witness.seen(|seen| seen.is_of(identity));
    let at = |outcome| {
        seen.iter()
            .filter(move |seen| seen.outcome == outcome)
            .map(|seen| seen.at)
    };
    Attack {
        first_rejection: at(Outcome::Rejected).min(),
        accepted: at(Outcome::Accepted).collect(),
        rejected: at(Outcome::Rejected).count(),
    }
}

impl Attack {
    /// How many were accepted until `at`, and after it.
    #[must_use]
    pub fn around(&self, at: Timestamp) -> (usize, usize) {
        let before = self
            .accepted
            .iter()
            .filter(|accepted| **accepted <= at)
            .count();
        (before, self.accepted.len() - before)
    }

    /// When the last one was accepted.
    #[must_use]
    pub fn last(&self) -> Option<Timestamp> {
        self.accepted.iter().max().copied()
    }
}

/// Where every recipient of the mail that the relay took over has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Recipients of messages that were answered 250.
    pub taken: usize,
    /// Accepted or rejected for good by a remote side.
    pub ended: usize,
    /// Accepted more than once, by message and recipient.
    pub doubled: Vec<String>,
    /// Neither: still in the queue, or lost.
    pub missing: Vec<String>,
}

/// Accounts for each recipient of `posted`.
#[must_use]
pub fn account(witness: &Witness, posted: &[Posted]) -> Account {
    let mut ends: HashMap<(String, String), (usize, usize)> = HashMap::new();
    for seen in witness.seen(|seen| matches!(seen.outcome, Outcome::Accepted | Outcome::Rejected)) {
        let key = (
            seen.message.unwrap_or_default(),
            seen.recipient.to_lowercase(),
        );
        let (accepted, rejected) = ends.entry(key).or_default();
        match seen.outcome {
            Outcome::Accepted => *accepted += 1,
            _ => *rejected += 1,
        }
    }
    let mut account = Account::default();
    for letter in posted {
        if !letter
            .reply
            .as_ref()
            .is_some_and(|reply| reply.is_positive())
        {
            continue;
        }
        for recipient in &letter.recipients {
            account.taken += 1;
            let name = || format!("{} to {recipient}", letter.message);
            match ends.get(&(letter.message.clone(), recipient.to_lowercase())) {
                None => account.missing.push(name()),
                Some((accepted, rejected)) => {
                    account.ended += 1;
                    if *accepted + usize::from(*rejected > 0) > 1 {
                        account.doubled.push(name());
                    }
                }
            }
        }
    }
    account
}

/// People other than `owner` and `thief` whose mail was refused at intake or is among `held`.
#[must_use]
pub fn touched(posted: &[Posted], held: &[Held], owner: &str, thief: &str) -> BTreeSet<String> {
    let refused = posted
        .iter()
        .filter(|letter| {
            !letter
                .reply
                .as_ref()
                .is_some_and(|reply| reply.is_positive())
        })
        .map(|letter| &letter.identity);
    refused
        .chain(held.iter().map(|held| &held.identity))
        .filter(|identity| *identity != owner && *identity != thief)
        .cloned()
        .collect()
}

/// The first act against an identity that its letters show: one that was put off or refused at intake, or one on hold.
#[must_use]
pub fn acted(posted: &[Posted], held: &[Held], identity: &str) -> Option<Timestamp> {
    let refused = posted
        .iter()
        .filter(|letter| {
            letter.identity == identity
                && letter
                    .reply
                    .as_ref()
                    .is_some_and(|reply| !reply.is_positive())
        })
        .map(|letter| letter.at);
    let held = held
        .iter()
        .filter(|held| held.identity == identity)
        .map(|held| held.since);
    refused.chain(held).min()
}

/// An evidence directory that was verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Files in the manifest; each has the digest that stands there.
    pub files: usize,
    /// Of these, how many hold a message of the thief.
    pub samples: usize,
}

/// Verifies `MANIFEST.sha256` (as `sha256sum -c` does), that nothing is outside of it but `custody.log`, which grows and
/// names the manifest's own digest, and the modes 0700 and 0600.
///
/// # Errors
/// [`Error::Io`]; [`Error::Program`] with the first thing that is wrong.
pub fn evidence(directory: &Path, identity: &str) -> Result<Evidence, Error> {
    let wrong = |said: String| Error::Program {
        program: format!("the evidence in {}", directory.display()),
        said,
    };
    let manifest = fs_err::read_to_string(directory.join("MANIFEST.sha256"))
        .map_err(Error::io("reading the manifest"))?;
    let mut found = Evidence::default();
    let custody = directory.join("custody.log");
    let chain =
        fs_err::read_to_string(&custody).map_err(Error::io("reading the chain of custody"))?;
    if !chain.contains(&sha256(manifest.as_bytes())) {
        return Err(wrong("custody.log does not name the manifest".to_owned()));
    }
    let mut listed = HashSet::from([directory.join("MANIFEST.sha256"), custody]);
    let marker_line = format!("{IDENTITY}: {identity}");
    for line in manifest.lines() {
        let (digest, name) = line
            .split_once("  ")
            .ok_or_else(|| wrong(format!("bad line: {line}")))?;
        let path = directory.join(name);
        let bytes = fs_err::read(&path).map_err(Error::io("reading evidence"))?;
        if sha256(&bytes) != digest {
            return Err(wrong(format!("{name} is not what the manifest says")));
        }
        found.files += 1;
        found.samples +=
            usize::from(memchr::memmem::find(&bytes, marker_line.as_bytes()).is_some());
        listed.insert(path);
    }
    for entry in walkdir::WalkDir::new(directory).into_iter().flatten() {
        let mode = entry
            .metadata()
            .map(|status| status.permissions().mode() & 0o777)
            .unwrap_or(0);
        let wanted = if entry.file_type().is_dir() {
            0o700
        } else {
            0o600
        };
        if mode != wanted {
            return Err(wrong(format!(
                "{} has mode {mode:04o}",
                entry.path().display()
            )));
        }
        // The chain of custody grows with every hand that touches the evidence; each of its lines seals the one before.
        let is_custody = entry.file_name() == "custody.log";
        if entry.file_type().is_file() && !is_custody && !listed.contains(entry.path()) {
            return Err(wrong(format!(
                "{} is not in the manifest",
                entry.path().display()
            )));
        }
    }
    Ok(found)
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::{client::Reply, witness::Seen};

    fn seen(message: &str, recipient: &str, outcome: Outcome) -> Seen {
        Seen {
            at: Timestamp::from_seconds(1),
            place: "a.example".into(),
            outcome,
            reply: String::new(),
            sender: "anna@example.org".to_owned(),
            recipient: recipient.to_owned(),
            identity: Some("anna".to_owned()),
            message: Some(message.to_owned()),
            content: None,
        }
    }

    fn posted(message: &str, recipients: &[&str], code: u16) -> Posted {
        Posted {
            at: Timestamp::EPOCH,
            identity: "anna".to_owned(),
            message: message.to_owned(),
            recipients: recipients
                .iter()
                .map(|recipient| (*recipient).to_owned())
                .collect(),
            reply: Some(Reply {
                code,
                text: String::new(),
            }),
            late: std::time::Duration::ZERO,
        }
    }

    #[test]
    fn mail_that_vanished_or_came_twice_is_named() {
        let witness = Witness::new();
        for (message, outcome) in [
            ("m1", Outcome::Deferred),
            ("m1", Outcome::Accepted),
            ("m2", Outcome::Accepted),
            ("m2", Outcome::Accepted),
            ("m3", Outcome::Deferred),
        ] {
            witness.note(seen(message, "r@a.example", outcome));
        }
        let letters: Vec<Posted> = ["m1", "m2", "m3"]
            .map(|m| posted(m, &["R@a.example"], 250))
            .into();
        let account = account(&witness, &letters);
        assert_eq!((account.taken, account.ended), (3, 2));
        assert_eq!(account.missing, ["m3 to R@a.example"]);
        assert_eq!(account.doubled, ["m2 to R@a.example"]);
    }

    #[test]
    fn what_the_relay_refused_is_not_missing_but_its_sender_was_touched() {
        let letters = [posted("m1", &["r@a.example"], 450)];
        assert_eq!(account(&Witness::new(), &letters), Account::default());
        assert_eq!(touched(&letters, &[], "owner", "thief").len(), 1);
    }

    #[test]
    fn evidence_that_was_changed_is_found_out() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("PW-1");
        std::fs::create_dir(&root).unwrap();
        let write = |name: &str, text: &str, mode| {
            std::fs::write(root.join(name), text).unwrap();
            std::fs::set_permissions(root.join(name), std::fs::Permissions::from_mode(mode))
                .unwrap();
        };
        std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o700)).unwrap();
        let hex = sha256(b"X-Demo-Sender: thief\n");
        let manifest = format!("{hex}  1.eml\n");
        let named = sha256(manifest.as_bytes());
        write("1.eml", "X-Demo-Sender: thief\n", 0o600);
        write("MANIFEST.sha256", &manifest, 0o600);
        write(
            "custody.log",
            &format!("collected, manifest=sha256:{named}\n"),
            0o600,
        );
        assert_eq!(
            evidence(&root, "thief").unwrap(),
            Evidence {
                files: 1,
                samples: 1
            }
        );
        write("2.eml", "more", 0o600);
        assert!(
            evidence(&root, "thief")
                .unwrap_err()
                .to_string()
                .contains("2.eml")
        );
        std::fs::remove_file(root.join("2.eml")).unwrap();
        write("1.eml", "X-Demo-Sender: thief!\n", 0o600);
        assert!(evidence(&root, "thief").is_err());
    }
}
