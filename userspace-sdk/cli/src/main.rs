//! The tunic command.
#![forbid(unsafe_code)]

mod show;

use std::io::{self, Read};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use tunic::{Adapter, AdapterState, Key};
use zeroize::Zeroizing;

/// Drives adapters of the Tunic driver.
#[derive(Parser)]
#[command(version)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Shows adapters: configuration, counters, state, discards.
    Show {
        /// Only this one.
        interface: Option<String>,
        /// Only its counters of discarded packets, all of them: a name, a tab and a number on each
        /// line.
        #[arg(long, requires = "interface")]
        discards: bool,
    },
    /// Prints a new private key.
    Genkey,
    /// Reads a private key and prints its public key.
    Pubkey,
    /// Prints a new preshared key.
    Genpsk,
    /// Brings an adapter up.
    Up {
        /// Which.
        interface: String,
    },
    /// Brings an adapter down.
    Down {
        /// Which.
        interface: String,
    },
}

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tunic: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> anyhow::Result<()> {
    match options.command {
        Command::Show { interface: Some(interface), discards: true } => {
            show::discards(&interface)?;
        }
        Command::Show { interface, .. } => show::run(interface.as_deref())?,
        Command::Genkey => println!("{}", Key::generate_private()?),
        Command::Pubkey => println!("{}", read_key()?.public()),
        Command::Genpsk => println!("{}", Key::generate_preshared()?),
        Command::Up { interface } => set_state(&interface, AdapterState::Up)?,
        Command::Down { interface } => set_state(&interface, AdapterState::Down)?,
    }
    Ok(())
}

fn set_state(interface: &str, state: AdapterState) -> anyhow::Result<()> {
    Adapter::open(interface)?.set_state(state).with_context(|| interface.to_owned())
}

/// The key on standard input.
fn read_key() -> anyhow::Result<Key> {
    let mut text = Zeroizing::new(String::with_capacity(64));
    io::stdin().take(64).read_to_string(&mut text)?;
    Ok(text.parse()?)
}
