//! Prompts on the terminal.

use std::io::{self, IsTerminal, Write};
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
    let read = read_line();
    if !is_echoed {
        tcsetattr(&stdin, SetArg::TCSANOW, &before)?;
        eprintln!();
    }
    let mut line = read?;
    let length = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(length);
    Ok(line)
}

/// Reads a line without the buffer of [`io::Stdin`], which would keep it.
fn read_line() -> io::Result<Zeroizing<String>> {
    // A terminal gives a line at a time, and no longer ones.
    let mut buffer = Zeroizing::new([0; 4096]);
    let length = nix::unistd::read(io::stdin(), &mut *buffer)?;
    let line = str::from_utf8(&buffer[..length])
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the line is not UTF-8"))?;
    Ok(Zeroizing::new(line.to_owned()))
}
