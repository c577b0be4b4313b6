//! The templates of the pages: the built-in ones, those of the configuration, and what each is tried
//! with before it may serve.

use super::Length;
use super::texts::Texts;
use super::word::Word;
use crate::config::Source;
use minijinja::value::Kwargs;
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, Value, context};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The built-in templates. `layout.html` frames the others.
pub(super) const BUILT_IN: [(&str, &str); 8] = [
    ("layout.html", include_str!("templates/layout.html")),
    ("login.html", include_str!("templates/login.html")),
    ("error.html", include_str!("templates/error.html")),
    ("sign-out.html", include_str!("templates/sign-out.html")),
    ("signed-out.html", include_str!("templates/signed-out.html")),
    ("account.html", include_str!("templates/account.html")),
    ("backdoor.html", include_str!("templates/backdoor.html")),
    ("test.html", include_str!("templates/test.html")),
];

/// The pages of the console. They are tried where they are filled in, and are not for `[branding]`:
/// an administrator who broke them would need them.
const CONSOLE: [(&str, &str); 12] = [
    (
        "console-frame.html",
        include_str!("templates/console-frame.html"),
    ),
    (
        "console-chart.html",
        include_str!("templates/console-chart.html"),
    ),
    (
        "console-pages.html",
        include_str!("templates/console-pages.html"),
    ),
    (
        "console-overview.html",
        include_str!("templates/console-overview.html"),
    ),
    (
        "console-configuration.html",
        include_str!("templates/console-configuration.html"),
    ),
    (
        "console-sessions.html",
        include_str!("templates/console-sessions.html"),
    ),
    (
        "console-confirm.html",
        include_str!("templates/console-confirm.html"),
    ),
    (
        "console-sign-ins.html",
        include_str!("templates/console-sign-ins.html"),
    ),
    (
        "console-reasons.html",
        include_str!("templates/console-reasons.html"),
    ),
    (
        "console-identities.html",
        include_str!("templates/console-identities.html"),
    ),
    (
        "console-relink.html",
        include_str!("templates/console-relink.html"),
    ),
    (
        "console-tests.html",
        include_str!("templates/console-tests.html"),
    ),
];

/// Steps that a page may take. The longest built-in page, with a thousand claims, takes a tenth.
const FUEL: u64 = 2_000_000;
/// Bytes that a page may have. Steps alone do not bound them: one step can write a long text.
const MAX_PAGE: usize = 16 * 1024 * 1024;
/// How deep includes and macros may go.
const DEPTH: usize = 50;

/// Why a template of the configuration cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// No page is rendered from a template of this name.
    #[error(
        "{file}: no page has a template of this name; the templates are {}, and parts of your own begin with _",
        known()
    )]
    Unknown {
        /// The file.
        file: String,
    },
    /// It cannot be read, or not rendered with the values that a page has.
    #[error("{file}:{line}: {reason}")]
    Broken {
        /// The file.
        file: String,
        /// The line, from 1; 0 if the engine does not know.
        line: usize,
        /// What the engine says.
        reason: String,
    },
}

fn known() -> String {
    BUILT_IN.map(|(name, _)| name).join(", ")
}

/// An engine with the built-in templates and `more`, which win.
///
/// # Errors
///
/// Each that has a mistake of syntax, or a name that no page has.
pub(super) fn environment(
    texts: &Arc<Texts>,
    more: &[Source],
) -> Result<Environment<'static>, Vec<TemplateError>> {
    let mut engine = Environment::new();
    let mut mistakes = Vec::new();
    // Nothing that is written in a template makes a page run for long.
    engine.set_fuel(Some(FUEL));
    engine.set_recursion_limit(DEPTH);
    let texts = Arc::clone(texts);
    let say =
        move |state: &State<'_, '_>, key: &str, values: Kwargs| say(&texts, state, key, &values);
    engine.add_function("t", say);
    engine.add_filter("json", json);
    for (name, source) in BUILT_IN.into_iter().chain(CONSOLE) {
        if let Err(error) = engine.add_template(name, source) {
            mistakes.push(broken(name, more, &error));
        }
    }
    for Source { name, path, text } in more {
        if !name.starts_with('_') && !BUILT_IN.iter().any(|(known, _)| known == name) {
            let file = path.display().to_string();
            mistakes.push(TemplateError::Unknown { file });
        } else if let Err(error) = engine.add_template_owned(name.clone(), text.clone()) {
            mistakes.push(broken(name, more, &error));
        }
    }
    match mistakes.is_empty() {
        true => Ok(engine),
        false => Err(mistakes),
    }
}

/// Whether the templates of the configuration have a say in this page.
pub(super) fn is_own(template: &str) -> bool {
    !CONSOLE.iter().any(|(name, _)| *name == template)
}

/// A page, or the error of its template.
pub(super) fn rendered(
    engine: &Environment<'static>,
    template: &str,
    values: Value,
) -> Result<String, Error> {
    let mut page = Page::default();
    let result = engine
        .get_template(template)?
        .render_captured_to(values, &mut page)
        .map(drop);
    if page.is_full {
        let reason = format!("the page is longer than {} MiB", MAX_PAGE >> 20);
        return Err(Error::new(ErrorKind::WriteFailure, reason));
    }
    result?;
    // Pieces of text, one after another, are a text.
    String::from_utf8(page.bytes)
        .map_err(|error| Error::new(ErrorKind::WriteFailure, "no UTF-8").with_source(error))
}

/// What is written of a page, up to [`MAX_PAGE`].
#[derive(Default)]
struct Page {
    bytes: Vec<u8>,
    is_full: bool,
}

impl io::Write for Page {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if more.len() > MAX_PAGE.saturating_sub(self.bytes.len()) {
            self.is_full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Renders every template with values as pages have them, in one language. A value that no page has
/// is a mistake here, and empty when serving.
///
/// # Errors
///
/// Each template that does not render.
pub(super) fn try_all(
    engine: &Environment<'static>,
    more: &[Source],
    frame: &Value,
) -> Result<(), Vec<TemplateError>> {
    let mut strict = engine.clone();
    strict.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    let wrong = |(name, _): (&str, &str)| {
        samples(name, "sample").into_iter().find_map(|sample| {
            let values = context! { ..sample, ..frame.clone() };
            let error = rendered(&strict, name, values).err()?;
            Some(broken(name, more, &error))
        })
    };
    let mut mistakes: Vec<_> = BUILT_IN.into_iter().filter_map(wrong).collect();
    // A mistake of the layout is one, and not one of every page in it.
    mistakes.dedup();
    match mistakes.is_empty() {
        true => Ok(()),
        false => Err(mistakes),
    }
}

fn broken(template: &str, more: &[Source], error: &Error) -> TemplateError {
    let name = error.name().unwrap_or(template);
    let source = more.iter().find(|source| source.name == name);
    TemplateError::Broken {
        file: source.map_or_else(|| name.to_owned(), |it| it.path.display().to_string()),
        line: error.line().unwrap_or_default(),
        reason: match error.detail() {
            Some(detail) => format!("{}: {detail}", error.kind()),
            None => error.kind().to_string(),
        },
    }
}

/// Any value as compact JSON, so that it looks the same as in the administrator's file of claims.
fn json(value: &Value) -> Result<String, Error> {
    serde_json::to_string(value)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, "no JSON").with_source(error))
}

/// `t("page.login.title", name=value)`: a text in the page's language.
fn say(texts: &Texts, state: &State<'_, '_>, key: &str, values: &Kwargs) -> Result<String, Error> {
    let language = state.lookup("language");
    let language = language.as_ref().and_then(Value::as_str).unwrap_or("en");
    let value = |name: &str| {
        let value: Value = values.get(name).ok()?;
        match Length::of(&value) {
            Some(length) => Some(Word::Length(length)),
            None if value.is_undefined() || value.is_none() => None,
            None => Some(Word::Text(value.to_string())),
        }
    };
    texts.say(language, key, &value).ok_or_else(|| {
        let reason = format!("there is no text \"{key}\"");
        Error::new(ErrorKind::InvalidOperation, reason)
    })
}

/// Values as the pages of a template have them: with everything, and with as little as can be.
pub(super) fn samples(template: &str, text: &str) -> Vec<Value> {
    let own = Value::from(text);
    let h = || own.clone();
    let month = Length::lasting(Duration::from_secs(30 * 86_400));
    let provider = || context! { id => h(), name => h(), icon => true, last => true };
    match template {
        "login.html" => vec![
            context! { next => h(), remember_days => Value::from(month), remember => true,
            providers => [provider(), provider()], several => true, by_email => true, email => h(),
            email_problem => "page.login.email_invalid", email_domain => () },
            context! { next => h(), providers => [provider(), provider()], several => true,
            by_email => true, email => h(), email_problem => (), email_domain => h() },
            context! { next => h(), providers => [context! { id => h(), name => h(), icon => false, last => false }],
            several => false, by_email => false, email => "", email_problem => (), email_domain => () },
            context! { countdown => 5, length => Value::from(month), provider => h(), start => h(), stop => h() },
        ],
        "error.html" => vec![
            context! { title => h(), message => h(), code => h(), causes => [h(), h()],
            actions => [context! { label => h(), href => h() }, context! { label => h(), href => h() }] },
            context! { title => h(), message => h(), code => h() },
        ],
        "sign-out.html" => vec![
            context! { username => h(), back => h() },
            context! { username => (), back => h() },
        ],
        "signed-out.html" => vec![context! { product => h() }],
        "account.html" => {
            let at = || context! { exact => h(), shown => h() };
            let session = |known: Value| {
                context! { handle => h(), this => true, provider_id => h(), backdoor => true,
                remembered => true, signed_in => at(), last_used => at(), expires => at(), ..known }
            };
            let named = context! { provider => h(), client => h(), agent => h(), browser => h(), system => h() };
            let bare =
                context! { provider => (), client => (), agent => (), browser => (), system => () };
            vec![
                context! { username => h(), sessions => [session(named), session(bare)], others => true, more => true },
                context! { username => h(), asks => true },
            ]
        }
        "backdoor.html" => vec![
            context! { message => "page.backdoor.rate_limited", length => Value::from(month),
            action => h(), next => h(), username => h(), asks_code => true },
            context! { message => (), length => (), action => h(), next => h(), username => "",
            asks_code => false },
        ],
        "test.html" => {
            let person = context! { username => h(), email => h(), display_name => h(),
            groups_before => [h()], groups => [h()], headers => [[h(), h()]] };
            let tried = context! { mapping => h(), found => h(), problem => h(),
            steps => [context! { step => h(), value => context! { x => h() } }] };
            let facts = [
                context! { name => h(), value => [h()], tried => [tried] },
                context! { name => h(), value => (), tried => Vec::<Value>::new() },
            ];
            let examined = context! { facts,
            groups => [context! { from => h(), to => [h()], why => h() }, context! { from => (), to => Vec::<Value>::new(), why => h() }] };
            let report = context! { issuer => h(), subject => h(), person, examined,
            problems => [context! { code => h(), what => h(), cure => h(), advice => h() }],
            live => context! { pin => h(), account => h(), plan => context! { decisions => [h()] } },
            claims => [context! { name => h(), source => h(), kind => h(), value => h(), used_for => [h()] }] };
            let bare = context! { issuer => h(), subject => h(), person => (), examined => context! { facts => Vec::<Value>::new(), groups => Vec::<Value>::new() },
            claims => Vec::<Value>::new(),
            problems => [context! { code => h(), what => h() }],
            live => context! {} };
            let page =
                |report: Value| context! { provider => h(), product => h(), again => h(), report };
            vec![page(report), page(bare)]
        }
        _ => Vec::new(),
    }
}
