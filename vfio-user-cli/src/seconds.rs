//! Times on the command line.

use std::time::Duration;

/// Parses a number of seconds, up to a day.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    const MOST: Duration = Duration::from_secs(24 * 3600);
    let parsed = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let accepted = parsed.filter(|time| !time.is_zero() && *time <= MOST);
    accepted.ok_or_else(|| format!("`{text}` is not a number of seconds such as 0.5"))
}
