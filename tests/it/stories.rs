//! The quick ones of the demo's other stories; `postwarden demo --scenario all` plays all of them.

use std::{path::Path, time::Duration};

use postwarden::demo::{scenario, scenarios, wait::Stop};

/// Plays one, at most this long, and wants the right ending.
fn plays_well(name: &str, most: Duration) {
    if crate::world::postfix().is_none() {
        return;
    }
    let mut story = scenarios::all()
        .into_iter()
        .find(|story| story.name == name)
        .unwrap();
    story.span = story.span.min(most);
    let binary = Path::new(env!("CARGO_BIN_EXE_postwarden"));
    let ending = scenario::play(&story, binary, 5, &Stop::new()).unwrap();
    assert!(ending.good, "{}", ending.line());
}

#[test]
fn a_thief_who_forges_every_sender_is_convicted_by_his_login() {
    plays_well("forged", Duration::from_secs(25));
}

#[test]
fn a_newsletter_with_a_few_dead_addresses_is_left_alone() {
    plays_well("newsletter", Duration::from_secs(10));
}

#[test]
fn a_relay_on_a_block_list_convicts_nobody() {
    plays_well("blocklisted", Duration::from_secs(10));
}
