//! How long something takes, with percentiles.

use std::time::{Duration, Instant};

/// Does `work` so many times and prints what it took.
pub fn time(
    name: &str,
    rounds: usize,
    mut work: impl FnMut() -> lapidary::Result<()>,
) -> lapidary::Result<()> {
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let started = Instant::now();
        work()?;
        times.push(started.elapsed());
    }
    report(name, &mut times);
    Ok(())
}

/// Prints p50, p90 and p99.
pub fn report(name: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e6;
    println!(
        "{name:<44} {:>9.2} us p50 {:>9.2} us p90 {:>9.2} us p99",
        at(50),
        at(90),
        at(99)
    );
}
