//! What a person sees while a job runs: a bar on a terminal, a line now and then elsewhere, nothing with `--json`.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use protocol::report::JobProgress;

/// Where nobody looks at a bar: how often a line is printed.
const LINE_PAUSE: Duration = Duration::from_secs(5);

/// Shows progress on standard error.
pub struct Display(Kind);

enum Kind {
    Quiet,
    Bar(ProgressBar),
    Lines { last: Option<(Instant, JobProgress)> },
}

impl Display {
    /// A display for one job.
    pub fn new(quiet: bool) -> Self {
        if quiet {
            return Self(Kind::Quiet);
        }
        if !std::io::stderr().is_terminal() {
            return Self(Kind::Lines { last: None });
        }
        let bar = ProgressBar::new(1000);
        let style =
            ProgressStyle::with_template("{bar:30} {percent:>3}%  {msg}  [{elapsed_precise}, {eta} left]");
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(Kind::Bar(bar))
    }

    /// Shows where the job stands now.
    pub fn show(&mut self, progress: &JobProgress) {
        match &mut self.0 {
            Kind::Quiet => {}
            Kind::Bar(bar) => {
                bar.set_position(u64::from(progress.permille));
                bar.set_message(describe(progress));
            }
            Kind::Lines { last } => {
                let now = Instant::now();
                let due = match last {
                    None => true,
                    Some((at, before)) => {
                        *before != *progress
                            && (now - *at >= LINE_PAUSE || before.waiting != progress.waiting)
                    }
                };
                if due && !progress.state.is_over() {
                    eprintln!("{}", describe(progress));
                    *last = Some((now, progress.clone()));
                }
            }
        }
    }

    /// Says something above the bar.
    pub fn say(&self, text: &str) {
        match &self.0 {
            Kind::Quiet => {}
            Kind::Bar(bar) => bar.suspend(|| eprintln!("{text}")),
            Kind::Lines { .. } => eprintln!("{text}"),
        }
    }

    /// Clears the bar.
    pub fn finish(&self) {
        if let Kind::Bar(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

fn describe(progress: &JobProgress) -> String {
    let decided = progress.accepted + progress.unaccepted;
    let mut parts = vec![format!("{decided} of {} tasks decided", progress.tasks)];
    if progress.disputes > 0 {
        parts.push(format!("{} disputed", progress.disputes));
    }
    if progress.dissenting_ballots > 0 {
        parts.push(format!("{} dissenting ballots", progress.dissenting_ballots));
    }
    let text = parts.join(", ");
    match &progress.waiting {
        Some(waiting) => format!("{text}; waiting: {waiting}"),
        None => text,
    }
}
