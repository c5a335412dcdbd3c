//! Prompts on the terminal.

use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// The answers so far: a profile that is read again (SIGHUP) has the same questions, and in the
/// background there is nobody to ask.
static ANSWERS: Mutex<Vec<(String, Zeroizing<String>)>> = Mutex::new(Vec::new());

/// Reads a line from the terminal, without echo unless `is_echoed`. The line is zeroized on drop.
/// A second question gets the answer of the first.
pub(crate) fn ask(prompt: &str, is_echoed: bool) -> io::Result<Zeroizing<String>> {
    let mut answers = ANSWERS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, answer)) = answers.iter().find(|(question, _)| question == prompt) {
        return Ok(answer.clone());
    }
    let answer = read(prompt, is_echoed)?;
    answers.push((prompt.to_owned(), answer.clone()));
    Ok(answer)
}

fn read(prompt: &str, is_echoed: bool) -> io::Result<Zeroizing<String>> {
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
