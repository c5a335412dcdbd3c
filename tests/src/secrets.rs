//! Secrets that a test gave to a program, and the places where they stand in its memory.
//!
//! A secret is looked for in pieces of 16 bytes, at every address, in all memory that the process
//! can read: as it is, as hexadecimal digits of either case, and in base64.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Write as _};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::wait;

/// How many bytes are read at a time.
const WINDOW: usize = 1 << 20;

/// No piece is longer.
const LONGEST: usize = 64;

/// Secrets, each with a name for messages.
#[derive(Default)]
pub struct Secrets {
    pieces: Vec<Piece>,
    /// The pieces that begin with these bytes.
    by_start: HashMap<u64, Vec<usize>>,
}

struct Piece {
    secret: String,
    form: &'static str,
    bytes: Vec<u8>,
}

/// How often pieces of a secret stand in which kind of memory: by secret, form and mapping.
#[derive(Default)]
pub struct Findings(BTreeMap<(String, &'static str, String), usize>);

impl Secrets {
    /// Adds a key of 16 bytes or more.
    pub fn add_key(&mut self, secret: &str, key: &[u8]) {
        for half in key.chunks_exact(16) {
            let lower = half.iter().fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            });
            self.add(secret, "upper hex", lower.to_uppercase().as_bytes());
            self.add(secret, "hex", lower.as_bytes());
            self.add(secret, "raw", half);
        }
        for part in key.chunks_exact(15) {
            self.add(secret, "base64", base64(part).as_bytes());
        }
    }

    /// Adds an X25519 private key, which also stands clamped (RFC 7748, section 5).
    pub fn add_private_key(&mut self, secret: &str, key: &[u8; 32]) {
        self.add_key(secret, key);
        let mut clamped = *key;
        clamped[0] &= 248;
        clamped[31] = clamped[31] & 127 | 64;
        if clamped != *key {
            self.add_key(&format!("{secret}, clamped"), &clamped);
        }
    }

    /// Adds a text of 8 bytes or more, such as a password, or a line of a key file.
    pub fn add_text(&mut self, secret: &str, text: &str) {
        if text.len() <= LONGEST {
            self.add(secret, "text", text.as_bytes());
        }
        for part in text.as_bytes().chunks_exact(16) {
            self.add(secret, "text", part);
        }
    }

    fn add(&mut self, secret: &str, form: &'static str, bytes: &[u8]) {
        assert!((8..=LONGEST).contains(&bytes.len()), "{secret}: {} bytes", bytes.len());
        let index = self.pieces.len();
        self.pieces.push(Piece { secret: secret.to_owned(), form, bytes: bytes.to_vec() });
        self.by_start.entry(start(bytes)).or_default().push(index);
    }

    /// Where they stand in the memory of a process.
    pub fn find(&self, process_id: u32) -> Result<Findings> {
        let maps = std::fs::read_to_string(format!("/proc/{process_id}/maps"))?;
        let memory = File::open(format!("/proc/{process_id}/mem"))?;
        let filter = self.filter();
        let mut findings = Findings::default();
        let mut window = vec![0; WINDOW + LONGEST];
        for line in maps.lines() {
            let mapping = Mapping::parse(line).with_context(|| line.to_owned())?;
            if !mapping.is_readable {
                continue;
            }
            let mut at = mapping.start;
            while at < mapping.end {
                let length = usize::try_from(mapping.end - at)?.min(window.len());
                // A mapping may be gone by now, or a device's.
                let Ok(read) = memory.read_at(&mut window[..length], at) else { break };
                if read == 0 {
                    break;
                }
                // What begins behind WINDOW is found in the next window.
                let (found, limit) = (&window[..read], read.min(WINDOW));
                self.find_in(found, limit, &filter, &mapping, &mut findings);
                at += u64::try_from(limit)?;
            }
        }
        Ok(findings)
    }

    fn find_in(
        &self,
        memory: &[u8],
        limit: usize,
        filter: &[bool],
        mapping: &Mapping<'_>,
        findings: &mut Findings,
    ) {
        for (offset, bytes) in memory.windows(8).take(limit).enumerate() {
            let start = start(bytes);
            if !filter[hash(start)] {
                continue;
            }
            for index in self.by_start.get(&start).into_iter().flatten() {
                let piece = &self.pieces[*index];
                if memory[offset..].starts_with(&piece.bytes) {
                    let key = (piece.secret.clone(), piece.form, mapping.kind());
                    *findings.0.entry(key).or_default() += 1;
                }
            }
        }
    }

    fn filter(&self) -> Vec<bool> {
        let mut filter = vec![false; 1 << 16];
        self.by_start.keys().for_each(|start| filter[hash(*start)] = true);
        filter
    }

    /// An error where any of them is still in the memory of the process after a while: threads
    /// that served a request may still be about to end.
    pub fn require_gone(&self, what: &str, process_id: u32) -> Result<()> {
        let mut last = self.find(process_id)?;
        let gone = wait::until("no secret is in memory", Duration::from_secs(30), || {
            last.is_empty() || {
                last = self.find(process_id).unwrap_or_default();
                last.is_empty()
            }
        });
        if gone.is_err() {
            bail!("{what}: in the memory of process {process_id}: {last}");
        }
        Ok(())
    }
}

impl Findings {
    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many pieces of a secret were found.
    pub fn of(&self, secret: &str) -> usize {
        self.0.iter().filter(|((name, ..), _)| name == secret).map(|(_, count)| count).sum()
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} pieces of secrets", self.0.values().sum::<usize>())?;
        // By form and mapping, with one secret as the example.
        let mut places = BTreeMap::new();
        for ((secret, form, mapping), count) in &self.0 {
            let place = places.entry((mapping, form)).or_insert((0, 0, secret));
            place.0 += count;
            place.1 += 1;
        }
        for ((mapping, form), (count, secrets, example)) in places {
            write!(f, "\n{count:6} of {secrets} secrets, {form}, in {mapping}; one is {example}")?;
        }
        Ok(())
    }
}

/// A line of /proc/PID/maps.
struct Mapping<'a> {
    start: u64,
    end: u64,
    is_readable: bool,
    name: &'a str,
}

impl<'a> Mapping<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.split_whitespace();
        let (start, end) = fields.next()?.split_once('-')?;
        let is_readable = fields.next()?.starts_with('r');
        Some(Self {
            start: u64::from_str_radix(start, 16).ok()?,
            end: u64::from_str_radix(end, 16).ok()?,
            is_readable,
            name: fields.nth(3).unwrap_or_default(),
        })
    }

    fn kind(&self) -> String {
        let pages = (self.end - self.start) >> 12;
        let name = if self.name.is_empty() { "anonymous" } else { self.name };
        format!("{name} of {pages} pages at {:x}", self.start)
    }
}

/// The first eight bytes.
fn start(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

const fn hash(start: u64) -> usize {
    (start.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48) as usize
}

/// Base64 of a multiple of three bytes.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |value: u32| char::from(DIGITS[value as usize & 63]);
    let mut text = String::new();
    for group in bytes.chunks_exact(3) {
        let value = group.iter().fold(0_u32, |value, byte| value << 8 | u32::from(*byte));
        text.extend([18, 12, 6, 0].map(|shift| digit(value >> shift)));
    }
    text
}
