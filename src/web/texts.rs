//! Every sentence that people read, in every language. No text stands in code.

use super::{Problem, Word, problem::Cause};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use toml::{Table, Value};

/// The built-in languages, English first: it says what there is to say.
pub(super) const BUILT_IN: [(&str, &str); 6] = [
    ("en", include_str!("languages/en.toml")),
    ("de", include_str!("languages/de.toml")),
    ("fr", include_str!("languages/fr.toml")),
    ("es", include_str!("languages/es.toml")),
    ("ja", include_str!("languages/ja.toml")),
    ("tr", include_str!("languages/tr.toml")),
];

/// A sentence is shorter.
const MAX_TEXT: usize = 2000;
/// A page shows no more suspects.
const MAX_CAUSES: usize = 9;
/// The names under which a text may speak of what stands behind the gateway, and its form there.
const PRODUCT: [(&str, &str); 5] = [
    ("product", "name"),
    ("product_start", "start"),
    ("product_in", "in"),
    ("product_of", "of"),
    ("product_to", "to"),
];

/// Why a language's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// It is not TOML.
    #[error("{file}: {reason}")]
    Toml {
        /// The file.
        file: String,
        /// The parser's message, with the line.
        reason: String,
    },
    /// A key that no text has.
    #[error("{file}: \"{key}\" is no text; portcullis templates export writes all that there are")]
    UnknownKey {
        /// The file.
        file: String,
        /// The key.
        key: String,
    },
    /// Something else than a short string.
    #[error("{file}: \"{key}\" must be a text of at most {MAX_TEXT} bytes, without < and >")]
    NotAText {
        /// The file.
        file: String,
        /// The key.
        key: String,
    },
    /// A text names a value that it is not given.
    #[error("{file}: \"{key}\" has no value {{{name}}}; it can have {known}")]
    UnknownValue {
        /// The file, or `branding.messages`.
        file: String,
        /// The key.
        key: String,
        /// What stands in braces.
        name: String,
        /// What may stand there.
        known: String,
    },
    /// `branding.languages` names a language that there is not.
    #[error("branding.languages: there is no \"{tag}\"; there is {known}")]
    UnknownLanguage {
        /// The language.
        tag: String,
        /// What there is.
        known: String,
    },
    /// `branding.messages` names an error that there is not.
    #[error("branding.messages: no error has the code \"{code}\"")]
    UnknownCode {
        /// The code.
        code: String,
    },
}

/// One language.
#[derive(Debug)]
struct Language {
    tag: String,
    texts: HashMap<String, String>,
}

/// A text of the configuration that replaces one of the language files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Override {
    /// Which text.
    pub key: String,
    /// In which language; none: in all.
    pub language: Option<String>,
    /// The text.
    pub text: String,
}

/// The texts of all offered languages.
#[derive(Debug)]
pub(super) struct Texts {
    /// Offered, the one for everybody else first.
    offered: Vec<Language>,
    /// For what a language lacks.
    english: HashMap<String, String>,
    /// By key, then by language; `""`: all.
    overrides: HashMap<String, HashMap<String, String>>,
    /// How English calls what stands behind the gateway.
    product: String,
}

/// A problem in words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) title: String,
    pub(super) message: String,
    pub(super) causes: Vec<String>,
    /// Texts and addresses.
    pub(super) actions: Vec<(String, String)>,
}

impl Texts {
    /// The built-in languages.
    ///
    /// # Errors
    ///
    /// If one of the files has a mistake.
    #[cfg(test)]
    pub(super) fn built_in() -> Result<Self, Vec<TextError>> {
        Self::new(&[], &[], &mut Vec::new())
    }

    /// The built-in languages and `more` (tag, file name and text; a built-in one is amended), of
    /// which those in `offered` are offered in that order; empty: all. What a language lacks is said
    /// in English, with a line in `warnings`.
    ///
    /// # Errors
    ///
    /// All mistakes of the files, and each offered language that does not exist.
    pub(super) fn new(
        more: &[(&str, String, &str)],
        offered: &[String],
        warnings: &mut Vec<String>,
    ) -> Result<Self, Vec<TextError>> {
        let mut mistakes = Vec::new();
        let mut english = HashMap::new();
        let mut languages: Vec<Language> = Vec::new();
        for (tag, text) in BUILT_IN {
            let file = format!("{tag}.toml");
            let known = (tag != "en").then_some(&english);
            let texts = read(&file, text, known)?;
            if tag == "en" {
                english.clone_from(&texts);
            }
            let tag = tag.to_owned();
            languages.push(Language { tag, texts });
        }
        for (tag, file, text) in more {
            let texts = match read(file, text, Some(&english)) {
                Ok(texts) => texts,
                Err(wrong) => {
                    mistakes.extend(wrong);
                    // Its language is there all the same, for whoever offers it.
                    HashMap::new()
                }
            };
            match languages.iter_mut().find(|known| known.tag == *tag) {
                Some(known) => known.texts.extend(texts),
                None => {
                    let missing = english.keys().filter(|key| !texts.contains_key(*key));
                    let missing: BTreeSet<_> = missing.map(String::as_str).collect();
                    if !missing.is_empty() && mistakes.is_empty() {
                        warnings.push(format!(
                            "{file}: {} texts are missing and stay English: {}",
                            missing.len(),
                            missing.into_iter().collect::<Vec<_>>().join(", ")
                        ));
                    }
                    let tag = (*tag).to_owned();
                    languages.push(Language { tag, texts });
                }
            }
        }
        if !offered.is_empty() {
            let mut all = std::mem::take(&mut languages);
            for tag in offered {
                let Some(at) = all.iter().position(|known| known.tag == *tag) else {
                    let known = all.iter().chain(&languages).map(|known| known.tag.as_str());
                    mistakes.push(TextError::UnknownLanguage {
                        tag: tag.clone(),
                        known: known.collect::<Vec<_>>().join(", "),
                    });
                    continue;
                };
                languages.push(all.swap_remove(at));
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        Ok(Self {
            offered: languages,
            english,
            overrides: HashMap::new(),
            product: "Bitbucket".to_owned(),
        })
    }

    /// Says how English calls what stands behind the gateway; every other language knows its own
    /// word for that.
    #[must_use]
    pub(super) fn for_product(mut self, product: &str) -> Self {
        product.clone_into(&mut self.product);
        self
    }

    /// Replaces texts. `narrower` are codes of problems whose words stand under another code.
    ///
    /// # Errors
    ///
    /// Each that there is not, or that names a value that it is not given.
    pub(super) fn replace(
        &mut self,
        overrides: impl IntoIterator<Item = Override>,
        narrower: &[&str],
    ) -> Result<(), Vec<TextError>> {
        let wrong = |replacement| self.replace_one(replacement, narrower).err();
        let mistakes: Vec<_> = overrides.into_iter().filter_map(wrong).collect();
        match mistakes.is_empty() {
            true => Ok(()),
            false => Err(mistakes),
        }
    }

    fn replace_one(
        &mut self,
        Override {
            key,
            language,
            text,
        }: Override,
        narrower: &[&str],
    ) -> Result<(), TextError> {
        let code = key.strip_prefix("problem.").and_then(|rest| {
            let (code, what) = rest.rsplit_once('.')?;
            matches!(what, "title" | "message").then_some(code)
        });
        let known = match code {
            Some(code) if self.english.contains_key(&key) => {
                values_below(&self.english, &format!("problem.{code}."))
            }
            Some(code) if narrower.contains(&code) => {
                let mut known = product_values();
                known.extend(["provider".to_owned(), "username".to_owned()]);
                known
            }
            Some(code) => {
                let code = code.to_owned();
                return Err(TextError::UnknownCode { code });
            }
            None => values_below(&self.english, &key),
        };
        let file = "branding";
        fits(file, &key, &text, &known)?;
        if let Some(tag) = &language
            && !self.offered.iter().any(|known| known.tag == *tag)
        {
            return Err(TextError::UnknownLanguage {
                tag: tag.clone(),
                known: self.tags().join(", "),
            });
        }
        let by_language = self.overrides.entry(key).or_default();
        by_language.insert(language.unwrap_or_default(), text);
        Ok(())
    }

    /// The offered languages.
    pub(super) fn tags(&self) -> Vec<&str> {
        let tags = self.offered.iter().map(|language| language.tag.as_str());
        tags.collect()
    }

    /// Every code that has words of its own.
    #[cfg(test)]
    pub(super) fn codes(&self) -> BTreeSet<&str> {
        let keys = self.english.keys();
        keys.filter_map(|key| key.strip_prefix("problem.")?.strip_suffix(".title"))
            .collect()
    }

    /// `ltr` or `rtl`.
    pub(super) fn direction(&self, tag: &str) -> &'static str {
        match self.raw(tag, "language.direction") {
            Some("rtl") => "rtl",
            _ => "ltr",
        }
    }

    /// A text with its values, in a language.
    pub(super) fn say(
        &self,
        tag: &str,
        key: &str,
        value: &dyn Fn(&str) -> Option<Word>,
    ) -> Option<String> {
        Some(self.fill(tag, self.raw(tag, key)?, value))
    }

    /// A problem in words.
    pub(super) fn tell(&self, tag: &str, problem: &Problem) -> Told {
        let value = |name: &str| {
            let found = problem.values.iter().find(|(known, _)| *known == name);
            found.map(|(_, word)| word.clone())
        };
        // The narrower name's own words first, which only the configuration can have.
        let say = |what: &str| {
            self.say(tag, &format!("problem.{}.{what}", problem.code), &value)
                .or_else(|| self.say(tag, &format!("problem.{}.{what}", problem.words), &value))
                // Never on a page: a test looks for every code. A code still says something.
                .unwrap_or_else(|| problem.code.to_owned())
        };
        let own = (1..=MAX_CAUSES).map_while(|number| {
            let key = format!("problem.{}.cause.{number}", problem.words);
            self.say(tag, &key, &value)
        });
        let more = problem.causes.iter().map(|cause| match cause {
            Cause::Key(key) => self.say_or_key(tag, key, &value),
            Cause::Log(message) => message.clone(),
        });
        let actions = problem.actions.iter().map(|action| {
            let value = |name: &str| match &action.value {
                Some((known, word)) if *known == name => Some(word.clone()),
                _ => value(name),
            };
            (
                self.say_or_key(tag, action.key, &value),
                action.href.clone(),
            )
        });
        Told {
            title: say("title"),
            message: say("message"),
            causes: own.chain(more).collect(),
            actions: actions.collect(),
        }
    }

    fn say_or_key(&self, tag: &str, key: &str, value: &dyn Fn(&str) -> Option<Word>) -> String {
        self.say(tag, key, value).unwrap_or_else(|| key.to_owned())
    }

    fn raw(&self, tag: &str, key: &str) -> Option<&str> {
        if let Some(own) = self.overrides.get(key)
            && let Some(text) = own.get(tag).or_else(|| own.get(""))
        {
            return Some(text);
        }
        let language = self.offered.iter().find(|language| language.tag == tag);
        language
            .and_then(|language| language.texts.get(key))
            .or_else(|| self.english.get(key))
            .map(String::as_str)
    }

    /// Puts values where their names stand. What a value holds is not looked at again.
    fn fill(&self, tag: &str, text: &str, value: &dyn Fn(&str) -> Option<Word>) -> String {
        let mut filled = String::with_capacity(text.len());
        for piece in pieces(text) {
            match piece {
                Piece::Plain(plain) => filled.push_str(plain),
                Piece::Value(name) => filled.push_str(&self.word(tag, name, value)),
            }
        }
        filled
    }

    fn word(&self, tag: &str, name: &str, value: &dyn Fn(&str) -> Option<Word>) -> String {
        if let Some((_, form)) = PRODUCT.iter().find(|(known, _)| *known == name) {
            return self.product(tag, form, value("product"));
        }
        match value(name) {
            Some(Word::Text(text)) => text,
            Some(Word::Length(length)) => {
                let count = |_: &str| Some(Word::Text(length.count().to_string()));
                self.say(tag, &length.key(), &count).unwrap_or_default()
            }
            None => format!("{{{name}}}"),
        }
    }

    fn product(&self, tag: &str, form: &str, given: Option<Word>) -> String {
        let called = match given {
            Some(Word::Text(text)) => text,
            _ => self.product.clone(),
        };
        let kinds = ["bitbucket", "application"];
        let kind = kinds.into_iter().find(|kind| {
            let name = self.english.get(&format!("product.{kind}.name"));
            name == Some(&called)
        });
        kind.and_then(|kind| self.raw(tag, &format!("product.{kind}.{form}")))
            .map_or(called, str::to_owned)
    }
}

/// The part of a text.
enum Piece<'a> {
    Plain(&'a str),
    /// The name between braces.
    Value(&'a str),
}

/// A text in its parts. A brace that opens no name is a brace.
fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let open = match rest.find('{') {
            _ if rest.is_empty() => return None,
            Some(0) => {
                let named = rest.get(1..).and_then(|after| after.split_once('}'));
                let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
                if let Some((name, after)) = named
                    && !name.is_empty()
                    && name.chars().all(is_name)
                {
                    rest = after;
                    return Some(Piece::Value(name));
                }
                let after = rest.get(1..).unwrap_or_default();
                after.find('{').map_or(rest.len(), |at| at + 1)
            }
            Some(open) => open,
            None => rest.len(),
        };
        let (plain, after) = rest.split_at(open);
        rest = after;
        Some(Piece::Plain(plain))
    })
}

/// The names of the values in a text.
fn names(text: &str) -> impl Iterator<Item = &str> {
    pieces(text).filter_map(|piece| match piece {
        Piece::Value(name) => Some(name),
        Piece::Plain(_) => None,
    })
}

fn product_values() -> BTreeSet<String> {
    PRODUCT.iter().map(|(name, _)| (*name).to_owned()).collect()
}

/// Which values the text of this key has, or all below one that ends with a dot.
fn values_below(english: &HashMap<String, String>, prefix: &str) -> BTreeSet<String> {
    let below = |key: &str| key == prefix || (prefix.ends_with('.') && key.starts_with(prefix));
    let texts = english.iter().filter(|(key, _)| below(key));
    let mut known: BTreeSet<_> = texts
        .flat_map(|(_, text)| names(text).map(str::to_owned))
        .collect();
    known.extend(product_values());
    known
}

/// Whether a text is one, and has only values that it is given.
fn fits(file: &str, key: &str, text: &str, known: &BTreeSet<String>) -> Result<(), TextError> {
    if text.is_empty() || text.len() > MAX_TEXT || text.contains(['<', '>']) {
        return Err(TextError::NotAText {
            file: file.to_owned(),
            key: key.to_owned(),
        });
    }
    match names(text).find(|name| !known.contains(*name)) {
        None => Ok(()),
        Some(name) => Err(TextError::UnknownValue {
            file: file.to_owned(),
            key: key.to_owned(),
            name: name.to_owned(),
            known: known
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(", "),
        }),
    }
}

/// Reads a file: tables in tables become dotted keys. `english` says which keys and values there
/// are.
fn read(
    file: &str,
    text: &str,
    english: Option<&HashMap<String, String>>,
) -> Result<HashMap<String, String>, Vec<TextError>> {
    let table: Table = toml::from_str(text).map_err(|error| {
        vec![TextError::Toml {
            file: file.to_owned(),
            reason: error.to_string().trim().replace('\n', " "),
        }]
    })?;
    let mut flat = BTreeMap::new();
    flatten(file, "", table, &mut flat).map_err(|error| vec![error])?;
    let wrong = |(key, text): (&String, &String)| {
        let known = match english {
            None => names(text).map(str::to_owned).collect(),
            Some(english) if !english.contains_key(key) => {
                return Some(TextError::UnknownKey {
                    file: file.to_owned(),
                    key: key.clone(),
                });
            }
            Some(english) => values_below(english, &prefix_of(key)),
        };
        fits(file, key, text, &known).err()
    };
    let mistakes: Vec<_> = flat.iter().filter_map(wrong).collect();
    match mistakes.is_empty() {
        true => Ok(flat.into_iter().collect()),
        false => Err(mistakes),
    }
}

/// The texts that are given the same values: all of one problem, or the text alone.
fn prefix_of(key: &str) -> String {
    let mut parts = key.splitn(3, '.');
    match (parts.next(), parts.next()) {
        (Some("problem"), Some(code)) => format!("problem.{code}."),
        _ => key.to_owned(),
    }
}

fn flatten(
    file: &str,
    prefix: &str,
    table: Table,
    flat: &mut BTreeMap<String, String>,
) -> Result<(), TextError> {
    for (name, value) in table {
        let key = match prefix {
            "" => name,
            prefix => format!("{prefix}.{name}"),
        };
        match value {
            Value::String(text) => {
                flat.insert(key, text);
            }
            // The parser bounds how deep tables go.
            Value::Table(table) => flatten(file, &key, table, flat)?,
            _ => {
                let file = file.to_owned();
                return Err(TextError::NotAText { file, key });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
