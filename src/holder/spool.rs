//! Where Postfix keeps its queue files, and where one of them is now.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    holder::{
        Settings,
        program::{self, Failure},
    },
    wire::holder::Place,
};

/// The queue of one Postfix, as its `main.cf` describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spool {
    /// `queue_directory`.
    pub(super) directory: PathBuf,
    /// `command_directory`: postsuper and postkick.
    pub(super) commands: PathBuf,
    /// `hash_queue_names`.
    hashed: Vec<String>,
    /// `hash_queue_depth`.
    depth: usize,
}

impl Spool {
    /// Asks postconf(1). It is asked for every request: a few milliseconds, and never an answer of yesterday.
    pub(super) fn ask(settings: &Settings) -> Result<Self, Failure> {
        let mut command = program::command(Path::new("postconf"), settings);
        command.arg("-x").args(PARAMETERS);
        let (_status, said) = program::run(command, b"", settings.deadline)?;
        Self::parse(&String::from_utf8_lossy(&said))
            .ok_or_else(|| Failure::Said(format!("postconf: {}", program::last_line(&said))))
    }

    /// Reads `name = value` lines.
    fn parse(text: &str) -> Option<Self> {
        let values: HashMap<&str, &str> = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.trim(), value.trim()))
            .collect();
        let [directory, commands, hashed, depth] = PARAMETERS.map(|name| values.get(name).copied());
        let absolute = |path: &str| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
        Some(Self {
            directory: absolute(directory?)?,
            commands: absolute(commands?)?,
            hashed: hashed?.split([',', ' ', '\t']).map(str::to_owned).collect(),
            depth: depth?.parse().ok()?,
        })
    }

    /// Where the file is. It may be moving meanwhile, so that "nowhere" is only believed the second time. Where looking is not
    /// allowed nothing is known, and that is not "gone".
    pub(super) fn locate(&self, id: &str) -> Result<Place, Failure> {
        let look = || {
            for (queue, place) in PLACES {
                let path = self.directory.join(self.path(queue, id));
                match fs::symlink_metadata(&path) {
                    Ok(found) if found.is_file() => return Ok(Some(place)),
                    Err(source) if source.kind() != io::ErrorKind::NotFound => {
                        return Err(Failure::Look { path, source });
                    }
                    _ => {}
                }
            }
            Ok(None)
        };
        match look()? {
            Some(place) => Ok(place),
            None => Ok(look()?.unwrap_or(Place::Gone)),
        }
    }

    /// The path below the queue directory: `hold/4F2A1C0D3B`, or `deferred/4/4F2A1C0D3B` where the queue is hashed.
    pub(super) fn path(&self, queue: &str, id: &str) -> PathBuf {
        let mut path = PathBuf::from(queue);
        if self.hashed.iter().any(|hashed| hashed == queue) {
            let hash = microseconds(id).unwrap_or_else(|| id.to_owned());
            path.extend(
                hash.chars()
                    .chain(std::iter::repeat('_'))
                    .take(self.depth)
                    .map(String::from),
            );
        }
        path.push(id);
        path
    }
}

/// The queue that a place stands for.
pub(super) fn queue(place: Place) -> Option<&'static str> {
    PLACES
        .iter()
        .find(|(_, found)| *found == place)
        .map(|(queue, _)| *queue)
}

/// What a long queue ID is hashed by: its microseconds (four digits in base 52 before the last `z`) as five hexadecimal
/// digits. A short one, which is hashed by its own first digits, has no `z`.
fn microseconds(id: &str) -> Option<String> {
    let (head, _inode) = id.rsplit_once('z')?;
    let (_seconds, digits) = head.split_at_checked(head.len().checked_sub(4)?.max(6))?;
    let value = digits.bytes().try_fold(0, |value, digit| {
        let digit = BASE_52.iter().position(|known| *known == digit)?;
        Some(value * 52 + digit)
    })?;
    (digits.len() == 4).then(|| format!("{value:05X}"))
}

/// In the order of looking: a message that is taken out of `hold` is found further down.
const PLACES: [(&str, Place); 5] = [
    ("hold", Place::Hold),
    ("maildrop", Place::Maildrop),
    ("incoming", Place::Incoming),
    ("active", Place::Active),
    ("deferred", Place::Deferred),
];
const PARAMETERS: [&str; 4] = [
    "queue_directory",
    "command_directory",
    "hash_queue_names",
    "hash_queue_depth",
];
const BASE_52: &[u8; 52] = b"0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";

#[cfg(test)]
mod tests {
    use super::*;

    fn spool(depth: usize) -> Spool {
        let text = format!(
            "postconf: warning: unused parameter: a=b\nhash_queue_depth = {depth}\nhash_queue_names = deferred, defer\n\
             queue_directory = /var/spool/postfix\ncommand_directory = /usr/sbin\n"
        );
        Spool::parse(&text).unwrap()
    }

    #[test]
    fn a_hashed_queue_is_split_by_the_first_digits_of_a_short_id() {
        assert_eq!(
            spool(1).path("deferred", "006FCFE715"),
            Path::new("deferred/0/006FCFE715")
        );
        assert_eq!(
            spool(2).path("deferred", "A06FCFE715"),
            Path::new("deferred/A/0/A06FCFE715")
        );
        assert_eq!(
            spool(2).path("hold", "A06FCFE715"),
            Path::new("hold/A06FCFE715")
        );
    }

    #[test]
    fn a_hashed_queue_is_split_by_the_microseconds_of_a_long_id() {
        // Seconds 4jXzSj, microseconds 3kyZ = ((3 * 52 + 38) * 52 + 50) * 52 + 30 = 527,206 = 80B66.
        assert_eq!(
            spool(2).path("deferred", "4jXzSj3kyZz7fVH"),
            Path::new("deferred/8/0/4jXzSj3kyZz7fVH")
        );
    }

    #[test]
    fn half_an_answer_of_postconf_is_none() {
        assert_eq!(Spool::parse("queue_directory = /var/spool/postfix\n"), None);
        assert_eq!(
            Spool::parse("postconf: fatal: open /x/main.cf: No such file or directory\n"),
            None
        );
    }
}
