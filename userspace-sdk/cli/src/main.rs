//! The `tunic` command.
#![forbid(unsafe_code)]

mod route;
mod show;

use std::io::{self, Read};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use tunic::{Adapter, AdapterState, Key};
use zeroize::Zeroizing;

/// Shows and controls adapters of the Tunic driver, through the sockets of tunicd.
///
/// The sockets are /var/run/tunic/INTERFACE.sock; only root may use them.
#[derive(Parser)]
#[command(version)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Shows adapters: configuration, peers, state and discarded packets.
    Show {
        /// The adapter; default: all.
        interface: Option<String>,
        /// Show only the counters of discarded packets, zeroes included: a name, a tab and a number
        /// on each line.
        #[arg(long, requires = "interface")]
        discards: bool,
    },
    /// Shows the routes of an adapter: a prefix, a tab and its peer on each line.
    Route {
        /// The adapter.
        interface: String,
        /// Print the driver's routing tries as a Graphviz digraph, for dot(1).
        #[arg(long)]
        dot: bool,
    },
    /// Prints a new private key.
    Genkey,
    /// Reads a private key from standard input and prints its public key.
    Pubkey,
    /// Prints a new preshared key.
    Genpsk,
    /// Brings an adapter up.
    Up {
        /// The adapter.
        interface: String,
    },
    /// Brings an adapter down.
    Down {
        /// The adapter.
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
        Command::Route { interface, dot } => route::run(&interface, dot)?,
        Command::Genkey => println!("{}", Key::generate_private()?),
        Command::Pubkey => println!("{}", read_key()?.public()),
        Command::Genpsk => println!("{}", Key::generate_preshared()?),
        Command::Up { interface } => set_state(&interface, AdapterState::Up)?,
        Command::Down { interface } => set_state(&interface, AdapterState::Down)?,
    }
    Ok(())
}

fn set_state(interface: &str, state: AdapterState) -> anyhow::Result<()> {
    let word = if state == AdapterState::Up { "up" } else { "down" };
    let context = || format!("cannot bring {interface} {word}");
    Adapter::open(interface)?.set_state(state).with_context(context)
}

/// The key on standard input.
fn read_key() -> anyhow::Result<Key> {
    let mut text = Zeroizing::new(String::with_capacity(64));
    io::stdin().take(64).read_to_string(&mut text)?;
    Ok(text.parse()?)
}
