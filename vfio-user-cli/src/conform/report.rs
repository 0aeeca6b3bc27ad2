//! What the checks have found.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::check::{Basis, Check, Stop, Verdict};
use super::server::Server;

/// The checks with their results.
#[derive(Serialize)]
pub(super) struct Report {
    passed: usize,
    failed: usize,
    skipped: usize,
    checks: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    section: &'static str,
    basis: Basis,
    rule: &'static str,
    result: Outcome,
    /// Why it failed or was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Pass,
    Fail,
    Skip,
}

/// The checks without results.
pub(super) struct List<'a>(pub(super) &'a [&'a Check]);

impl Report {
    /// Makes the checks. The server has been started for the first one.
    pub(super) fn make(checks: &[&Check], server: &mut Server) -> Self {
        let mut is_gone = false;
        let mut rows = Vec::with_capacity(checks.len());
        for (place, check) in checks.iter().enumerate() {
            let verdict = if is_gone {
                Err(Stop::Skipped("the server serves no client any more".into()))
            } else {
                let verdict = verdict(check, server, place > 0);
                // A connection that was refused shows up in the check before.
                is_gone = !server.restarts() && server.attach().is_err();
                verdict
            };
            rows.push(Row::new(check, verdict));
        }
        let count = |result| rows.iter().filter(|row| row.result == result).count();
        let [passed, failed, skipped] = [Outcome::Pass, Outcome::Fail, Outcome::Skip].map(count);
        Report { passed, failed, skipped, checks: rows }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed > 0
    }
}

fn verdict(check: &Check, server: &mut Server, starts: bool) -> Verdict {
    if starts && server.restarts() {
        server.start().map_err(|error| Stop::Failed(error.whole()))?;
    }
    let verdict = (check.run)(server);
    match (verdict, server.finish()) {
        (Err(Stop::Failed(reason)), Err(Stop::Failed(after))) => {
            Err(Stop::Failed(format!("{reason}; {after}")))
        }
        (Err(failed @ Stop::Failed(_)), _) | (_, Err(failed)) => Err(failed),
        (verdict, Ok(())) => verdict,
    }
}

impl Row {
    fn new(check: &Check, verdict: Verdict) -> Self {
        let Check { name, section, basis, rule, .. } = *check;
        let (result, reason) = match verdict {
            Ok(()) => (Outcome::Pass, None),
            Err(Stop::Failed(reason)) => (Outcome::Fail, Some(reason)),
            Err(Stop::Skipped(reason)) => (Outcome::Skip, Some(reason)),
        };
        Row { name, section, basis, rule, result, reason }
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for Row { name, section, basis, rule, result, reason } in &self.checks {
            let reason = reason.as_deref().unwrap_or_default();
            match result {
                Outcome::Pass => writeln!(f, "pass  {name}")?,
                Outcome::Skip => writeln!(f, "skip  {name}: {reason}")?,
                Outcome::Fail => {
                    writeln!(f, "FAIL  {name}: {reason}")?;
                    writeln!(f, "      {}, {section}: {rule}", basis.name())?;
                }
            }
        }
        let Report { passed, failed, skipped, .. } = self;
        writeln!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

impl Basis {
    fn name(self) -> &'static str {
        match self {
            Basis::Required => "required",
            Basis::Robust => "robust",
        }
    }
}

impl Display for List<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for Check { name, section, basis, rule, .. } in self.0 {
            writeln!(f, "{name:28} {:9} {section}: {rule}", basis.name())?;
        }
        Ok(())
    }
}

impl Serialize for List<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Listed {
            name: &'static str,
            section: &'static str,
            basis: Basis,
            rule: &'static str,
        }
        serializer.collect_seq(self.0.iter().map(|check| {
            let Check { name, section, basis, rule, .. } = **check;
            Listed { name, section, basis, rule }
        }))
    }
}
