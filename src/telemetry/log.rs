//! Log lines: text for people or JSON for machines; audit events are JSON in both.

use crate::config::{Log, LogFormat};
use std::fmt;
use std::str::FromStr;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{Format, Full, Json, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// The target of audit events.
pub const AUDIT: &str = "audit";

/// More than this of somebody else's text helps nobody.
const LONGEST_EXCERPT: usize = 200;

/// Visible ASCII, and not too much of it: what others wrote must not be able to forge a log line.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars()
        .take(LONGEST_EXCERPT)
        .map(|c| if matches!(c, ' '..='~') { c } else { '?' })
        .collect()
}

/// Sets the process's subscriber. A second call changes nothing, as in tests.
pub fn start(log: &Log) {
    // The audit log is not a matter of taste: it is written at every level.
    let filter = Targets::from_str(&log.level)
        .unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO))
        .with_target(AUDIT, LevelFilter::INFO);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    let started = match log.format {
        LogFormat::Text => {
            let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
            let lines = lines.with_ansi(ansi).event_format(Lines(Format::default()));
            registry.with(lines).try_init()
        }
        LogFormat::Json => {
            let format = Format::default().json().flatten_event(true);
            let lines = lines
                .fmt_fields(JsonFields::new())
                .event_format(Lines(format));
            registry.with(lines).try_init()
        }
    };
    if let Err(error) = started {
        tracing::debug!(%error, "the log was already started");
    }
}

/// Writes an audit event as its bare JSON, everything else in the format inside.
struct Lines<F>(Format<F>);

impl<S, N> FormatEvent<S, N> for Lines<Full>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if event.metadata().target() == AUDIT {
            bare(out, event)
        } else {
            self.0.format_event(ctx, out, event)
        }
    }
}

impl<S, N> FormatEvent<S, N> for Lines<Json>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    FormattedFields<N>: 'static,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if event.metadata().target() == AUDIT {
            bare(out, event)
        } else {
            self.0.format_event(ctx, out, event)
        }
    }
}

fn bare(mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
    struct Message<'a>(Writer<'a>, fmt::Result);
    impl Visit for Message<'_> {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            if field.name() == "message" {
                self.1 = writeln!(self.0, "{value:?}");
            }
        }
    }
    let mut message = Message(out.by_ref(), Ok(()));
    event.record(&mut message);
    message.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_audit_event_is_a_bare_json_line_in_the_text_log() {
        let sink = Sink::default();
        let writer = sink.clone();
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(move || writer.clone())
            .event_format(Lines(Format::default()));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            tracing::info!(target: AUDIT, "{}", r#"{"event":"x"}"#);
            tracing::info!(user.name = "ana", "hello");
        });
        let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some(r#"{"event":"x"}"#));
        assert!(lines.next().is_some_and(|line| line.contains("hello")));
    }
}
