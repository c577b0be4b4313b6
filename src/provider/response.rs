//! The way back: what the browser brought from the provider (RFC 6749 §4.1.2, RFC 9207).

use super::authorize::Attempt;
use super::error::Error;
use super::issuer;
use super::said::{Said, printable};
use crate::config;

/// The parameters that mean something. Unknown ones are passed over: Salesforce adds some.
/// `error_uri` is not read, so nobody can be sent there.
#[derive(Debug)]
pub(super) struct Response<'a> {
    state: Option<&'a str>,
    code: Option<&'a str>,
    issuer: Option<&'a str>,
    error: Option<&'a str>,
    description: Option<&'a str>,
}

/// A response that brings a code.
#[derive(Debug, Clone, Copy)]
pub(super) struct Granted<'a> {
    /// The code.
    pub(super) code: &'a str,
    /// From whom, if the response says so. With several tenants it is compared once more when the
    /// token has said which one it is.
    pub(super) issuer: Option<&'a str>,
}

impl<'a> Response<'a> {
    /// Picks the parameters. One that stands there twice has two readings, so it has none
    /// (RFC 6749 §3.1); one without a value is not there.
    pub(super) fn read(params: &'a [(String, String)]) -> Result<Self, Error> {
        let one = |name: &'static str| {
            let mut found = params.iter().filter(|(n, _)| n == name).map(|(_, v)| v);
            let value = found.next().map(String::as_str).filter(|v| !v.is_empty());
            match found.next() {
                None => Ok(value),
                Some(_) => Err(Error::DuplicateParameter { name }),
            }
        };
        Ok(Self {
            state: one("state")?,
            code: one("code")?,
            issuer: one("iss")?,
            error: one("error")?,
            description: one("error_description")?,
        })
    }

    /// The login room found the attempt by its state; this makes sure of it.
    pub(super) fn check_state(&self, attempt: &Attempt) -> Result<(), Error> {
        let state = self.state.ok_or(Error::StateMissing)?;
        if attempt.has_state(state) {
            Ok(())
        } else {
            Err(Error::StateMismatch)
        }
    }

    /// The code, if the response is from this issuer and brings one. The issuer is checked on
    /// errors too (RFC 9207 §2.4).
    pub(super) fn granted(
        &self,
        config: &config::Provider,
        issuer_promised: bool,
    ) -> Result<Granted<'a>, Error> {
        match self.issuer {
            Some(found) if !issuer::may_respond(config, found) => {
                return Err(Error::ResponseIssuerMismatch {
                    expected: config.issuer.clone(),
                    found: printable(found),
                });
            }
            None if issuer_promised => return Err(Error::ResponseIssuerMissing),
            _ => {}
        }
        match (self.code, self.error) {
            (Some(code), None) => Ok(Granted {
                code,
                issuer: self.issuer,
            }),
            (Some(_), Some(_)) => Err(Error::CodeAndError),
            (None, Some(error)) => Err(Error::authorization(Said::new(
                Some(error),
                self.description,
            ))),
            (None, None) => Err(Error::CodeMissing),
        }
    }
}
