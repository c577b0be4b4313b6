//! How everything is, and the configuration in force.

use super::chart::chart;
use super::probes::Health;
use super::{Asked, Console, findings, moment};
use crate::clock::Timestamp;
use crate::config::{ClientAuth, Kind, SOON_DAYS, Store};
use crate::provider::Provider;
use crate::web::Response;
use serde_json::{Value, json};
use std::sync::PoisonError;

/// Seconds of a day.
const DAY: i64 = 24 * 3600;
/// Lines of a refused reload.
const MOST_REASONS: usize = 50;

impl Console {
    /// `GET /`
    pub(super) async fn overview(&self, asked: &Asked<'_>) -> Response {
        let health = self.probes.health(&self.config, &self.parts).await;
        let page = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "now": moment(self.parts.clock.now()),
            "started": moment(self.parts.life.started),
            "loaded": moment(self.loaded),
            "refused": self.refused_reload(),
            "sso": self.config.sign_in.enabled,
            "probed": health.as_ref().map(|health| moment(health.at)),
            "store": self.store(health.as_deref()),
            "providers": self.providers(health.as_deref()),
            "upstream": self.upstream(health.as_deref()),
            "backdoor": self.backdoor(),
            "certificates": self.certificates(),
            "chart": chart(&self.parts.audit.last_day()),
        });
        self.page(asked, "console-overview.html", "overview", &page)
    }

    /// `GET /configuration`: table by table, without secrets.
    pub(super) fn configuration(&self, asked: &Asked<'_>) -> Response {
        let mut tables: Vec<(String, Vec<Value>)> = Vec::new();
        for setting in self.config.settings() {
            // `providers.ID.key`, and `table.key` for the others.
            let (table, key) = setting.key.rsplit_once('.').unwrap_or(("", &setting.key));
            if tables.last().is_none_or(|(last, _)| last != table) {
                tables.push((table.to_owned(), Vec::new()));
            }
            if let Some((_, rows)) = tables.last_mut() {
                rows.push(json!({ "key": key, "value": setting.value }));
            }
        }
        let files = self.parts.files.iter();
        let page = json!({
            "loaded": moment(self.loaded),
            "refused": self.refused_reload(),
            "files": files.map(|file| file.display().to_string()).collect::<Vec<_>>(),
            "tables": tables,
        });
        self.page(asked, "console-configuration.html", "configuration", &page)
    }

    fn refused_reload(&self) -> Option<Value> {
        let refused = &self.parts.life.refused;
        let refused = refused.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, reasons) = refused.as_ref()?;
        // A refusal's own reasons may have several lines: the mistakes of a file.
        let lines: Vec<&str> = reasons.iter().flat_map(|reason| reason.lines()).collect();
        Some(json!({
            "at": moment(*at),
            "reasons": lines.iter().take(MOST_REASONS).collect::<Vec<_>>(),
            "over": *at < self.loaded,
        }))
    }

    fn store(&self, health: Option<&Health>) -> Value {
        let (kind, path) = match &self.config.session.store {
            Store::Memory => ("memory", None),
            Store::Sqlite(path) => ("sqlite", Some(path.display().to_string())),
        };
        let ready = health.map(|health| &health.store);
        json!({
            "kind": kind,
            "path": path,
            "ok": ready.is_some_and(Result::is_ok),
            "error": ready.and_then(|ready| ready.as_ref().err()),
        })
    }

    fn providers(&self, health: Option<&Health>) -> Vec<Value> {
        let rows = self.parts.providers.iter().enumerate();
        rows.map(|(index, provider)| {
            let found = health.and_then(|health| health.providers.get(index));
            of_provider(
                provider,
                found.and_then(Option::as_ref),
                self.parts.clock.now(),
            )
        })
        .collect()
    }

    fn upstream(&self, health: Option<&Health>) -> Value {
        let status = health.map(|health| &health.upstream);
        let code = status.and_then(|status| status.as_ref().ok());
        let doors = health.map(|health| health.around.as_slice());
        let doors = doors.unwrap_or_default().iter().map(|knock| {
            json!({
                "host": knock.host,
                "port": knock.port,
                "open": knock.opened.is_some(),
                "loopback": knock.is_loopback(),
            })
        });
        json!({
            "url": self.config.upstream.url.text,
            "bitbucket": self.config.upstream.kind == Kind::Bitbucket,
            "ok": code.is_some_and(|code| *code < 400),
            "status": code,
            "error": status.and_then(|status| status.as_ref().err()),
            "version": health.and_then(|health| health.version.as_ref()),
            "doors": doors.collect::<Vec<_>>(),
        })
    }

    fn backdoor(&self) -> Value {
        let backdoor = &self.config.backdoor;
        let networks = backdoor.allowed_networks.iter();
        json!({
            "armed": backdoor.enabled,
            "path": backdoor.path,
            "accounts": backdoor.accounts.len(),
            "networks": networks.map(ToString::to_string).collect::<Vec<_>>(),
        })
    }

    /// The gateway's own certificates.
    fn certificates(&self) -> Vec<Value> {
        let now = self.parts.clock.now();
        let rows = self.parts.metrics.certificates().into_iter();
        rows.map(|(side, file, ends)| {
            let days = days_until(ends, now);
            json!({
                "side": side,
                "file": file,
                "ends": moment_of(ends),
                "days": days,
                "soon": days < SOON_DAYS,
            })
        })
        .collect()
    }
}

/// Whole days until a moment in seconds since 1970; below zero: it is past.
fn days_until(ends: i64, now: Timestamp) -> i64 {
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    ends.saturating_sub(now).div_euclid(DAY)
}

fn moment_of(secs: i64) -> String {
    moment(Timestamp::from_secs(
        u64::try_from(secs).unwrap_or_default(),
    ))
}

fn of_provider(
    provider: &Provider,
    found: Option<&Vec<crate::provider::Finding>>,
    now: Timestamp,
) -> Value {
    let (config, status) = (provider.config(), provider.status());
    let findings = found.map(|found| {
        let rows = found
            .iter()
            .map(|finding| json!({ "ok": finding.ok, "said": findings::said(finding) }));
        rows.collect::<Vec<_>>()
    });
    // What kind of proof there is says what can run out.
    let proof = match &config.client_auth {
        ClientAuth::Basic(_) | ClientAuth::Post(_) => "secret",
        ClientAuth::PrivateKeyJwt { .. } => "key",
        ClientAuth::AppleJwt { .. } => "apple",
        ClientAuth::None => "none",
    };
    let end = |ends: String, days: i64, host: Option<String>| {
        json!({
            "ends": ends,
            "days": days,
            "soon": days < SOON_DAYS,
            "over": days < 0,
            "host": host,
        })
    };
    let certificate = status.certificate.map(|certificate| {
        let (ends, host) = (certificate.ends, certificate.host);
        end(moment_of(ends), days_until(ends, now), Some(host))
    });
    let day = config.client_secret_expires_on;
    let secret = day.zip(config.secret_days_left(now));
    let secret = secret.map(|(day, days)| end(day.to_string(), days, None));
    json!({
        "id": config.id,
        "name": config.name,
        "issuer": config.issuer,
        "https": config.issuer.starts_with("https:"),
        "findings": findings,
        "ok": findings_are_fine(found),
        "success": status.last_success.map(moment),
        "error": status.last_error.map(|(at, why)| json!({ "at": moment(at), "why": why })),
        "proof": proof,
        "certificate": certificate,
        "secret": secret,
    })
}

fn findings_are_fine(found: Option<&Vec<crate::provider::Finding>>) -> bool {
    found.is_some_and(|found| found.iter().all(|finding| finding.ok))
}
