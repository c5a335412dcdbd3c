//! Programs that end: every one is bounded in time and killed with its test.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// What a program that ended said.
#[derive(Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Output {
    /// The standard output of a program that succeeded; an error with all it said otherwise.
    pub fn success(self) -> Result<String> {
        if self.status.success() {
            return Ok(self.stdout);
        }
        bail!("{}\nstdout: {}\nstderr: {}", self.status, self.stdout, self.stderr)
    }
}

/// Runs a program to its end, with `input` on its standard input.
///
/// # Errors
///
/// When it can't be started, or has not ended in time; then it is killed.
pub fn run(command: &mut Command, input: &[u8], timeout: Duration) -> Result<Output> {
    let description = describe(command);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("can't start {description}"))?;
    let stdin = child.stdin.take();
    let input = input.to_vec();
    thread::spawn(move || {
        // A program may end without reading its input.
        stdin.map(|mut stdin| stdin.write_all(&input))
    });
    let stdout = read_all(child.stdout.take());
    let stderr = read_all(child.stderr.take());
    let status = wait(&mut child, timeout);
    let (stdout, stderr) = (stdout.text(), stderr.text());
    let status =
        status.with_context(|| format!("{description}\nstdout: {stdout}\nstderr: {stderr}"))?;
    Ok(Output { status, stdout, stderr })
}

/// Runs a shell line that must succeed, within 20 seconds.
pub fn shell(line: &str) -> Result<String> {
    run(Command::new("sh").args(["-ec", line]), b"", Duration::from_secs(20))?
        .success()
        .with_context(|| line.to_owned())
}

/// Waits for a child; kills it when its time is over.
pub fn wait(child: &mut Child, timeout: Duration) -> Result<ExitStatus> {
    let deadline = Instant::now() + timeout;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() >= deadline {
            let _ = child.kill();
            let _ = child.wait();
            bail!("has not ended in {timeout:?}");
        }
        thread::park_timeout(Duration::from_millis(5));
    }
}

/// What a pipe gives, collected by a thread of its own.
struct Collected(mpsc::Receiver<Vec<u8>>);

fn read_all(mut pipe: Option<impl Read + Send + 'static>) -> Collected {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Some(length) = pipe_read(pipe.as_mut(), &mut chunk) {
            if sender.send(chunk[..length].to_vec()).is_err() {
                break;
            }
        }
    });
    Collected(receiver)
}

impl Collected {
    /// All of it, once the program has ended. A daemon that it left behind may hold the pipe open
    /// for ever: then what has come within a second.
    fn text(self) -> String {
        let mut bytes = Vec::new();
        while let Ok(chunk) = self.0.recv_timeout(Duration::from_secs(1)) {
            bytes.extend(chunk);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn pipe_read(pipe: Option<&mut impl Read>, chunk: &mut [u8]) -> Option<usize> {
    pipe?.read(chunk).ok().filter(|length| *length > 0)
}

fn describe(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        let _ = write!(line, " {}", argument.to_string_lossy());
    }
    line
}
