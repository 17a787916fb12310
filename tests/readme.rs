//! What the README says of limits and defaults is so.

use std::time::Duration;

use sansock::{HeadLimits, Limits, Timeouts};

const README: &str = include_str!("../README.md");

/// The second cell of the row of the README's table that names `knob`.
fn default_of(knob: &str) -> &'static str {
    let row = README.lines().find(|line| line.starts_with('|') && line.contains(knob));
    row.and_then(|row| row.split('|').nth(2)).map_or("", str::trim)
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

fn seconds(time: Option<Duration>) -> String {
    time.map_or("off".into(), |time| format!("{} s", time.as_secs()))
}

#[test]
fn the_limits_are_those_of_the_readme() {
    let limits = Limits::new();
    assert_eq!(default_of("`Limits::frame`"), mib(limits.frame));
    assert_eq!(default_of("`Limits::message`"), mib(limits.message));
    assert_eq!(default_of("`Limits::buffered`"), mib(limits.buffered as u64));
    assert_eq!(default_of("`Limits::fragments`").replace(',', ""), limits.fragments.to_string());
    let head = HeadLimits::new();
    let both = format!("{} KiB, {} headers", head.bytes >> 10, head.headers);
    assert_eq!(default_of("`HeadLimits`"), both);
}

#[test]
fn the_timeouts_are_those_of_the_readme() {
    let timeouts = Timeouts::new();
    assert_eq!(default_of("`Timeouts::handshake`"), seconds(timeouts.handshake));
    assert_eq!(default_of("`Timeouts::closing`"), seconds(timeouts.closing));
    assert_eq!(timeouts.keepalive, None);
    for time in [timeouts.idle, timeouts.message] {
        assert_eq!(default_of("keepalive, idle, message time"), seconds(time));
    }
}
