//! A score in plain words: every number is one counter, the weight of each clause in brackets, the sum first.

use crate::{
    ledger::{
        counters::{Counters, Picture},
        sender::Sender,
    },
    policy::{
        refusals,
        score::{Assessment, Shape},
        verdict::Reason,
    },
    time::Timestamp,
};

/// What the score rests on, the weightiest first.
pub(super) fn reasons(
    entry: &Sender,
    found: &Assessment,
    at_least: f64,
    at: Timestamp,
) -> Vec<Reason> {
    let mut context = *entry.context(found.novel);
    context.fade(at);
    let mut clauses = clauses(entry, &context, found, at);
    clauses.retain(|(weight, _, text)| weight.abs() >= 0.15 && !text.is_empty());
    clauses.sort_by(|a, b| b.0.total_cmp(&a.0));
    let listed: f64 = clauses.iter().map(|(weight, _, _)| weight).sum();
    let rest = found.score - listed;
    if rest.abs() >= 0.05 {
        let text = "thieves are rare; and what is too small to be listed".to_owned();
        clauses.push((rest, "prior", text));
    }
    let mut reasons = vec![Reason {
        signal: "score".to_owned(),
        text: format!(
            "looks like {}: {:.1} points, the limit is {at_least:.1}",
            picture(found.shape),
            found.score
        ),
    }];
    reasons.extend(clauses.into_iter().map(|(weight, signal, text)| Reason {
        signal: signal.to_owned(),
        text: format!("{text} [{weight:+.1}]"),
    }));
    reasons
}

/// How far from the line.
pub(super) fn distance(found: Option<&Assessment>, at_least: f64) -> String {
    let Some(found) = found else {
        return format!("{at_least:.1} points (nothing is unusual)");
    };
    if found.score < at_least {
        return format!(
            "{:.1} points ({:.1} of {at_least:.1}: {})",
            at_least - found.score,
            found.score.max(0.0),
            parts(found)
        );
    }
    if found.kinds < 2 {
        return format!(
            "a second kind of evidence ({:.1} of {at_least:.1} points, but all of one kind: {})",
            found.score,
            parts(found)
        );
    }
    format!(
        "more refused recipients ({:.1} refused; {:.1} of {at_least:.1} points)",
        found.refused, found.score
    )
}

/// The weighty parts of a score by name.
fn parts(found: &Assessment) -> String {
    let parts = [
        (own(found), "refusals"),
        (found.network, "a new network"),
        (found.volume, "unusual volume"),
        (found.strangers, "new recipients"),
        (found.hour, "an unusual hour"),
        (found.group, "others from the same place"),
        (found.source, "a convicted source"),
    ];
    let named: Vec<String> = parts
        .into_iter()
        .filter(|(weight, _)| *weight >= 0.5)
        .map(|(weight, name)| format!("{name} {weight:+.1}"))
        .collect();
    if named.is_empty() {
        "nothing stands out".to_owned()
    } else {
        named.join(", ")
    }
}

const fn own(found: &Assessment) -> f64 {
    match found.shape {
        Shape::List => found.refusals.list,
        Shape::Content => found.refusals.content,
        Shape::Rate => found.refusals.rate,
        Shape::Clean => 0.0,
    }
}

const fn picture(shape: Shape) -> &'static str {
    match shape {
        Shape::List => "a purchased list",
        Shape::Content => "mail that others refuse",
        Shape::Rate => "mail that others put off",
        Shape::Clean => "a stolen account with a good list",
    }
}

type Clause = (f64, &'static str, String);

fn clauses(entry: &Sender, context: &Counters, found: &Assessment, at: Timestamp) -> Vec<Clause> {
    let mut clauses: Vec<Clause> = Vec::new();
    for kind in Picture::ALL {
        clauses.push(refused(entry, context, found, kind));
    }
    clauses.push((found.network, "network", network(entry, found)));
    clauses.push((found.volume, "volume", volume(entry, at)));
    clauses.push((
        found.strangers,
        "strangers",
        format!(
            "{:.0} of {:.0} recipients of this hour were never written to before",
            context.hour.strangers, context.hour.tried
        ),
    ));
    let hour = if found.hour > 0.0 {
        "an hour at which this sender seldom writes"
    } else {
        "an hour at which this sender often writes"
    };
    clauses.push((found.hour, "hour", hour.to_owned()));
    // What others do from there is not part of these two pictures.
    let group = match found.shape {
        Shape::List | Shape::Content => found.group,
        Shape::Rate | Shape::Clean => 0.0,
    };
    clauses.push((
        group,
        "group",
        "mail of other senders from the same new place is refused as well".to_owned(),
    ));
    clauses.push((
        -entry.suspicion.pardon,
        "pardon",
        "a person said of this sender that it is honest".to_owned(),
    ));
    clauses.push((
        found.source,
        "source",
        "the same client address was used in cases of other senders".to_owned(),
    ));
    clauses
}

/// Refusals of one kind in this picture: `7 of 24 within the hour do not exist; on earlier days 1 in 120`.
fn refused(entry: &Sender, context: &Counters, found: &Assessment, kind: Picture) -> Clause {
    let signal = match kind {
        Picture::List => "refused_list",
        Picture::Content => "refused_content",
        Picture::Rate => "refused_rate",
    };
    let share = match (found.shape, kind) {
        (Shape::List, Picture::List)
        | (Shape::Content, Picture::Content)
        | (Shape::Rate, Picture::Rate) => 1.0,
        (Shape::Content | Shape::Rate, Picture::List) | (Shape::Rate, Picture::Content) => 0.5,
        _ => return (0.0, signal, String::new()),
    };
    let counts = if context.hour.refused.get(kind) >= 0.5 {
        ("within the hour", &context.hour)
    } else {
        ("within the day", &context.day)
    };
    let of = if kind == Picture::Rate {
        counts.1.tried
    } else {
        counts.1.answered
    };
    let (long, all) = (entry.usual.refused.get(kind), entry.usual.answered);
    let usually = if all < 5.0 {
        "nothing is known of earlier days".to_owned()
    } else if long < 0.5 {
        format!("on earlier days none of about {all:.0}")
    } else {
        format!("on earlier days 1 in {:.0}", (all / long).max(1.0))
    };
    let text = format!(
        "{:.0} of {of:.0} {} {}; {usually}",
        counts.1.refused.get(kind),
        counts.0,
        refusals::words(kind),
    );
    let nats = found.refusals.get(kind);
    // An intact list speaks for nobody whose content is refused.
    let nats = if share < 1.0 && kind == Picture::List {
        nats.max(0.0)
    } else {
        nats
    };
    (share * nats, signal, text)
}

fn network(entry: &Sender, found: &Assessment) -> String {
    if !found.novel {
        return "from a network that this sender uses".to_owned();
    }
    let homes = entry.homes.iter().filter(|home| home.adopted).count();
    format!(
        "from a network where this sender never was (known: {homes}; {:.0} new ones in {:.0} active days)",
        entry.homes.new.all(),
        entry.active_days
    )
}

/// The span whose record is passed most.
fn volume(entry: &Sender, at: Timestamp) -> String {
    let spans = [
        "recipients in ten minutes",
        "recipients in an hour",
        "recipients in a day",
        "messages in ten minutes",
    ];
    entry
        .volume
        .faded(at)
        .into_iter()
        .zip(entry.volume.record)
        .zip(spans)
        .max_by(|a, b| ratio(a.0).total_cmp(&ratio(b.0)))
        .map_or_else(String::new, |((now, record), span)| {
            format!("{now:.0} {span}, highest so far {record:.0}")
        })
}

fn ratio((now, record): (f64, f64)) -> f64 {
    now / (record + 8.0)
}
