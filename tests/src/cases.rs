//! Cases of one test that run at once, as most of their time is waiting.

use std::fmt::Debug;
use std::thread::{self, ScopedJoinHandle};

use anyhow::{Context, Result, anyhow};

/// Runs a test for all cases at once. The error is the first case's that has one, with the case.
pub fn at_once<C: Debug + Sync>(cases: &[C], test: impl Fn(&C) -> Result<()> + Sync) -> Result<()> {
    let test = &test;
    thread::scope(|scope| {
        let threads: Vec<_> = cases.iter().map(|case| scope.spawn(move || test(case))).collect();
        // All have ended before any is judged.
        let results: Vec<_> = threads.into_iter().map(ScopedJoinHandle::join).collect();
        for (result, case) in results.into_iter().zip(cases) {
            let result = result.unwrap_or_else(|_| Err(anyhow!("it panicked")));
            result.with_context(|| format!("{case:?}"))?;
        }
        Ok(())
    })
}
