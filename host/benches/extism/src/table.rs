//! Both sides of a measurement, taken in turns, as a row.

use std::time::{Duration, Instant};

/// What can go wrong on either side.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Calls of one side before it is the other's turn: what else the machine does meets both.
const TURN: usize = 50;

/// What the columns are.
pub fn head() {
    println!("microseconds, p50 / p90 / p99; the ratio is extism's p50 over Lapidary's");
    row("", "Lapidary", "extism", "ratio");
}

fn row(name: &str, ours: &str, theirs: &str, ratio: &str) {
    println!("{name:<40} {ours:>28} {theirs:>28} {ratio:>7}");
}

/// Measures the same work on both sides.
pub fn pair(
    name: &str,
    rounds: usize,
    mut ours: impl FnMut() -> Outcome<()>,
    mut theirs: impl FnMut() -> Outcome<()>,
) -> Outcome<()> {
    let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
    for _ in 0..rounds.div_ceil(TURN) {
        turn(&mut our_times, &mut ours)?;
        turn(&mut their_times, &mut theirs)?;
    }
    our_times.sort_unstable();
    their_times.sort_unstable();
    let ratio = at(&their_times, 50) / at(&our_times, 50);
    let (ours, theirs) = (shown(&our_times), shown(&their_times));
    row(name, &ours, &theirs, &format!("{ratio:.1}"));
    Ok(())
}

fn turn(times: &mut Vec<Duration>, work: &mut impl FnMut() -> Outcome<()>) -> Outcome<()> {
    for _ in 0..TURN {
        let started = Instant::now();
        work()?;
        times.push(started.elapsed());
    }
    Ok(())
}

fn shown(times: &[Duration]) -> String {
    let [half, most, nearly] = [50, 90, 99].map(|percent| at(times, percent));
    format!("{half:.2} / {most:.2} / {nearly:.2}")
}

/// Microseconds; `times` are sorted.
fn at(times: &[Duration], percent: usize) -> f64 {
    times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e6
}

/// Bytes that so many things take each while they live; none where the system does not tell.
pub fn held<T>(count: usize, mut make: impl FnMut() -> Outcome<T>) -> Outcome<Option<usize>> {
    // What the first one leaves behind is not each one's.
    make()?;
    let before = resident_bytes();
    let things: Vec<T> = (0..count).map(|_| make()).collect::<Outcome<_>>()?;
    let after = resident_bytes();
    let all = before
        .zip(after)
        .map(|(before, after)| after.saturating_sub(before));
    Ok(all.map(|bytes| bytes / things.len()))
}

/// A row of bytes, where the system tells them.
pub fn bytes(name: &str, ours: Option<usize>, theirs: Option<usize>) {
    if let (Some(ours), Some(theirs)) = (ours, theirs) {
        let ratio = theirs as f64 / ours as f64;
        row(
            name,
            &ours.to_string(),
            &theirs.to_string(),
            &format!("{ratio:.1}"),
        );
    }
}

fn resident_bytes() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: usize = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib << 10)
}
