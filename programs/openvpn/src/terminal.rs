//! Prompts on the terminal.

use std::io::{self, BufRead, IsTerminal, Write};

use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// Reads a line from the terminal, without echo unless `is_echoed`. The line is zeroized on drop.
pub(crate) fn ask(prompt: &str, is_echoed: bool) -> io::Result<Zeroizing<String>> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!(
                "{}: not given, and standard input is no terminal",
                prompt.trim_end_matches(": ")
            ),
        ));
    }
    eprint!("{prompt}");
    io::stderr().flush()?;
    let before = tcgetattr(&stdin)?;
    if !is_echoed {
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(&stdin, SetArg::TCSANOW, &silent)?;
    }
    let mut line = Zeroizing::new(String::with_capacity(256));
    let read = stdin.lock().read_line(&mut line);
    if !is_echoed {
        tcsetattr(&stdin, SetArg::TCSANOW, &before)?;
        eprintln!();
    }
    read?;
    let length = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(length);
    Ok(line)
}
