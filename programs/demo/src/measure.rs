//! The demo's measurements, and the results that it requires.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use nt_host::edge::memory::{BulkAmount, PingReport};
use tunic::{ConfigurationChange, EventKind, Key, PeerChange};

use super::direction;
use super::machine::{Demo, Side};
use super::report::{Bytes, Millis, Report, RoundTrips};

/// The time limit of a handshake: two more attempts after the first.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(11);
const IDLE_PINGS: u16 = 100;
const PING_INTERVAL: Duration = Duration::from_millis(10);
const LOADED_PING_INTERVAL: Duration = Duration::from_millis(20);
/// Lost pings per thousand that are accepted. Nothing drops them while the tunnel is idle. Under
/// load a full queue may drop many in a row if the machine stalls, and a short demo sends few.
const IDLE_LOSS_PERMILLE: u32 = 0;
const LOADED_LOSS_PERMILLE: u32 = 500;
/// Pings with a wrong key.
const STRANGER_PINGS: u16 = 5;
const SINK_PORT: u16 = 5201;

/// A progress bar on a terminal; nothing elsewhere.
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A progress bar for a demo with this much load in each direction.
    pub(super) fn new(load: Duration) -> Self {
        let other = PING_INTERVAL * u32::from(IDLE_PINGS) * 2 + Duration::from_secs(2);
        // Hidden if standard error is no terminal.
        let bar = ProgressBar::new(millis(other + load * 2));
        if let Ok(style) = ProgressStyle::with_template("{msg:24} [{wide_bar}] {elapsed}") {
            bar.set_style(style.progress_chars("=> "));
        }
        Self { bar }
    }

    /// Shows the current step.
    pub(super) fn say(&self, what: impl Into<String>) {
        self.bar.set_message(what.into());
    }

    /// Removes the bar.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// Runs a step that takes about this long, and moves the bar meanwhile.
    fn during<R>(&self, expected: Duration, run: impl FnOnce() -> R) -> R {
        let start = Instant::now();
        let begin = self.bar.position();
        let is_done = AtomicBool::new(false);
        let result = thread::scope(|scope| {
            let moving = scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) {
                    let passed = millis(start.elapsed().min(expected));
                    self.bar.set_position(begin + passed);
                    thread::park_timeout(Duration::from_millis(100));
                }
            });
            let result = run();
            is_done.store(true, Ordering::Relaxed);
            moving.thread().unpark();
            result
        });
        self.bar.set_position(begin + millis(expected));
        result
    }
}

/// Gives the left side the right side's endpoint and waits for the handshake. False if there was
/// none.
pub(super) fn handshake(
    demo: &Demo,
    progress: &Progress,
    report: &mut Report,
) -> anyhow::Result<bool> {
    progress.say("handshake");
    let mut peer = PeerChange::new(demo.right.key.public());
    peer.endpoint = Some(demo.right.endpoint()?);
    // Its first keepalive is sent at once and starts the handshake.
    peer.persistent_keepalive_s = Some(25);
    let start = Instant::now();
    demo.left.change(peer)?;
    let time = loop {
        if demo.left.peer()?.last_handshake.is_some() {
            break Some(start.elapsed());
        }
        if start.elapsed() > HANDSHAKE_TIMEOUT {
            break None;
        }
        thread::sleep(Duration::from_micros(50));
    };
    let Some(time) = time else {
        report.row("handshake", "none");
        report.fail(format!("no handshake within {HANDSHAKE_TIMEOUT:?}"));
        return Ok(false);
    };
    report.row("handshake", Millis(time).to_string());
    let event = demo.left.control.next_event()?.context("an event of an unknown kind")?;
    report.require(event.kind == EventKind::HandshakeCompleted, || {
        format!("the first event was {:?}", event.kind)
    });
    Ok(true)
}

/// Pings through the idle tunnel, both families.
pub(super) fn idle(demo: &Demo, progress: &Progress, report: &mut Report) -> anyhow::Result<()> {
    let (left, right) = (&demo.left, &demo.right);
    progress.say("latency, idle");
    for (family, address) in [("IPv4", right.v4), ("IPv6", right.v6)] {
        let pings = progress.during(PING_INTERVAL * u32::from(IDLE_PINGS), || {
            left.stack.ping(address, IDLE_PINGS, PING_INTERVAL)
        })?;
        report.row("latency, idle", format!("{} ({family})", RoundTrips(&pings)));
        require_few_lost(&pings, IDLE_LOSS_PERMILLE, "the idle tunnel", report);
    }
    Ok(())
}

/// TCP in one direction, with pings beside it.
pub(super) fn load(
    from: &Side,
    to: &Side,
    time: Duration,
    progress: &Progress,
    report: &mut Report,
) -> anyhow::Result<()> {
    let direction = direction(from, to);
    progress.say(format!("TCP {direction}"));
    let sink = to.stack.listen_sink(SINK_PORT)?;
    let transfer = from.stack.start_bulk(to.v4, SINK_PORT, BulkAmount::Duration(time))?;
    let count = time.as_millis() / LOADED_PING_INTERVAL.as_millis();
    let count = u16::try_from(count).unwrap_or(u16::MAX);
    let pings = progress.during(time, || from.stack.ping(to.v4, count, LOADED_PING_INTERVAL))?;
    match transfer.wait() {
        Ok(transfer) => {
            let rate = transfer.bits_per_second() / 1e6;
            let bytes = Bytes(transfer.bytes);
            let judged = match transfer.first_wrong_byte {
                None => "every byte as sent".to_owned(),
                Some(offset) => format!("byte {offset} is wrong"),
            };
            report.row(
                format!("TCP, {direction}"),
                format!("{rate:.0} Mbit/s, {bytes} in {:.2?}, {judged}", transfer.duration),
            );
            let is_right = transfer.first_wrong_byte.is_none() && sink.corrupt_connections() == 0;
            report.require(is_right, || format!("TCP {direction} was corrupted: {judged}"));
            report.require(transfer.bytes > 0, || format!("TCP {direction} carried nothing"));
        }
        Err(error) => {
            report.row(format!("TCP, {direction}"), "broke off");
            report.fail(format!("TCP {direction} broke off: {error}"));
        }
    }
    report.row("latency, loaded", format!("{} ({direction})", RoundTrips(&pings)));
    require_few_lost(&pings, LOADED_LOSS_PERMILLE, "the loaded tunnel", report);
    Ok(())
}

/// What both sides counted.
pub(super) fn counters(demo: &Demo, report: &mut Report) -> anyhow::Result<()> {
    for (side, other) in [(&demo.left, &demo.right), (&demo.right, &demo.left)] {
        let peer = side.peer()?;
        let (sent, received) = (Bytes(peer.tx_bytes), Bytes(peer.rx_bytes));
        let name = format!("{}'s peer", side.name);
        report.row(&name, format!("{sent} sent, {received} received"));
        let discards = side.control.statistics()?.discards;
        let discards: Vec<_> = discards
            .iter()
            .filter(|(_, count)| *count != 0)
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        if !discards.is_empty() {
            report.row(&name, format!("discarded: {}", discards.join(", ")));
        }
        // Asked later, so it can only have counted more.
        let received = other.peer()?.rx_bytes;
        report.require(peer.tx_bytes > 0 && received > 0, || {
            format!("{} counted nothing", side.name)
        });
        for reason in ["forged", "malformed", "source-not-allowed"] {
            let count = side.discards(reason)?;
            report.require(count == 0, || format!("{} counts {count} {reason}", side.name));
        }
    }
    Ok(())
}

/// The left side takes a key that the right side does not know: no packet may get through.
pub(super) fn stranger(
    demo: &Demo,
    progress: &Progress,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (left, right) = (&demo.left, &demo.right);
    progress.say("wrong key");
    let refused_before = right.discards("bad-handshake")?;
    let handshake_before = right.peer()?.last_handshake;
    left.control.set_configuration(&ConfigurationChange {
        private_key: Some(Some(Key::generate_private()?)),
        ..ConfigurationChange::default()
    })?;
    let pings = progress.during(Duration::from_secs(2), || {
        left.stack.ping(right.v4, STRANGER_PINGS, PING_INTERVAL)
    })?;
    let refused = right.discards("bad-handshake")? - refused_before;
    let answers = pings.round_trips.len();
    report.row("wrong key", format!("{refused} handshakes refused, {answers} pings answered"));
    report.require(answers == 0, || format!("{answers} pings were answered to a wrong key"));
    report.require(refused > 0, || "no handshake with a wrong key was refused".to_owned());
    report.require(right.peer()?.last_handshake == handshake_before, || {
        "there was a handshake with a wrong key".to_owned()
    });
    Ok(())
}

fn require_few_lost(pings: &PingReport, permille: u32, place: &str, report: &mut Report) {
    let lost = pings.lost();
    report.require(u64::from(lost) * 1000 <= u64::from(pings.sent) * u64::from(permille), || {
        format!("{lost} of {} pings were lost in {place}", pings.sent)
    });
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
