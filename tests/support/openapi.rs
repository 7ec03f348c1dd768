//! The OpenAPI document of the login, and whether an answer is one of those that it promises.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use crate::login::Answer;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A document, and what was seen of it.
pub(crate) struct Document {
    pub(crate) root: Value,
    pub(crate) seen: BTreeSet<(String, String, String)>,
}

impl Document {
    pub(crate) fn new() -> Self {
        let root = serde_json::from_str(include_str!("../../src/otp/openapi.json")).unwrap();
        Self { root, seen: BTreeSet::new() }
    }

    /// Path, method and the operation.
    pub(crate) fn operations(&self) -> Vec<(String, String, &Value)> {
        let paths = self.root["paths"].as_object().unwrap();
        let of = |(path, item): (&String, &'_ Value)| {
            let methods = item.as_object().unwrap().keys().cloned();
            methods.map(|method| (path.clone(), method)).collect::<Vec<_>>()
        };
        let named: Vec<_> = paths.iter().flat_map(of).collect();
        named
            .into_iter()
            .map(|(path, method)| {
                let operation = &self.root["paths"][&path][&method];
                (path, method, operation)
            })
            .collect()
    }

    /// All that the document says can be answered: `200`, or a slug.
    pub(crate) fn promised(&self) -> BTreeSet<(String, String, String)> {
        let mut all = BTreeSet::new();
        for (path, method, operation) in self.operations() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                let is_answer = status.starts_with(['2', '3']);
                let slugs = if is_answer { vec![status.clone()] } else { slugs(response) };
                all.extend(slugs.into_iter().map(|slug| (path.clone(), method.clone(), slug)));
            }
        }
        all
    }

    /// Checks an answer against the operation.
    pub(crate) fn check(
        &mut self,
        path: &str,
        method: &str,
        body: Option<&Value>,
        answer: &Answer,
    ) {
        let operation = &self.root["paths"][path][method];
        assert!(operation.is_object(), "{method} {path}");
        let status = answer.status.as_str();
        let response = &operation["responses"][status];
        assert!(response.is_object(), "{method} {path} does not say {status}: {answer:?}");
        let is_answer = answer.status.is_success() || answer.status.is_redirection();
        let what = if is_answer { status.to_owned() } else { answer.slug() };
        if !is_answer {
            assert!(
                slugs(response).contains(&what),
                "{method} {path} {status} does not say {what}"
            );
        }
        match response["content"].as_object() {
            Some(content) => {
                let (kind, media) = content.iter().next().unwrap();
                assert_eq!(answer.header("content-type"), kind, "{method} {path}");
                let fits = self.fits(&media["schema"], &answer.json());
                assert_eq!(fits, Ok(()), "{method} {path} {status}: {answer:?}");
            }
            None => assert_eq!(answer.text, "", "{method} {path}"),
        }
        if let Some(headers) = response["headers"].as_object() {
            for name in headers.keys() {
                assert!(
                    answer.headers.contains_key(name.as_str()),
                    "{method} {path} has no {name}"
                );
            }
        }
        // What was taken, the document allows; what it does not allow, was not.
        let wanted = &operation["requestBody"]["content"]["application/json"]["schema"];
        if let (Some(body), true) = (body, wanted.is_object()) {
            let fits = self.fits(wanted, body);
            let taken = answer.status.is_success();
            assert!(!taken || fits.is_ok(), "{method} {path} took {body}, which {fits:?}");
            assert!(
                what != "body-invalid" || fits.is_err(),
                "{method} {path} does not take {body}"
            );
        }
        self.seen.insert((path.to_owned(), method.to_owned(), what));
    }

    /// What of JSON Schema the document uses; another word in it fails.
    pub(crate) fn fits(&self, schema: &Value, value: &Value) -> Result<(), String> {
        for (word, rule) in schema.as_object().unwrap() {
            match word.as_str() {
                "$ref" => {
                    let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
                    self.fits(self.root.pointer(pointer).unwrap(), value)?;
                }
                "type" => {
                    let good = match rule.as_str().unwrap() {
                        "object" => value.is_object(),
                        "array" => value.is_array(),
                        "string" => value.is_string(),
                        "integer" => value.is_u64(),
                        "boolean" => value.is_boolean(),
                        other => panic!("type {other}"),
                    };
                    if !good {
                        return Err(format!("{value} is no {rule}"));
                    }
                }
                "enum" if !rule.as_array().unwrap().contains(value) => {
                    return Err(format!("{value} is none of {rule}"));
                }
                "const" if rule != value => return Err(format!("{value} is not {rule}")),
                "required" => {
                    for name in rule.as_array().unwrap() {
                        if value.get(name.as_str().unwrap()).is_none() {
                            return Err(format!("no {name}"));
                        }
                    }
                }
                "properties" => {
                    for (name, inner) in value.as_object().into_iter().flatten() {
                        if let Some(rule) = rule.get(name) {
                            self.fits(rule, inner)?;
                        }
                    }
                }
                "additionalProperties" => {
                    assert_eq!(*rule, json!(false));
                    for name in value.as_object().into_iter().flatten().map(|(name, _)| name) {
                        if schema["properties"].get(name).is_none() {
                            return Err(format!("{name} is not known"));
                        }
                    }
                }
                "items" => {
                    for inner in value.as_array().into_iter().flatten() {
                        self.fits(rule, inner)?;
                    }
                }
                "pattern" => {
                    let text = value.as_str().unwrap_or_default();
                    if !matches(rule.as_str().unwrap(), text) {
                        return Err(format!("{value} is not like {rule}"));
                    }
                }
                "examples" | "default" | "description" | "const" | "enum" => {}
                other => panic!("the test does not know {other}"),
            }
        }
        Ok(())
    }
}

/// The slugs that a response names.
pub(crate) fn slugs(response: &Value) -> Vec<String> {
    let text = response["description"].as_str().unwrap();
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Of regular expressions: letters, escaped letters and classes, each perhaps so many times, greedily.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let mut pattern = pattern.strip_prefix('^').unwrap().strip_suffix('$').unwrap();
    let mut text = text;
    while !pattern.is_empty() {
        let (class, rest) = if let Some(inner) = pattern.strip_prefix('[') {
            inner.split_once(']').unwrap()
        } else {
            let escaped = pattern.strip_prefix('\\').unwrap_or(pattern);
            escaped.split_at(1)
        };
        let (least, most, rest) = match rest.strip_prefix('{').and_then(|rest| rest.split_once('}'))
        {
            Some((counts, rest)) => {
                let (least, most) = counts.split_once(',').unwrap_or((counts, counts));
                (least.parse().unwrap(), most.parse().unwrap(), rest)
            }
            None => (1, 1, rest),
        };
        let letters: Vec<char> = class.chars().collect();
        let of_class = |c: &char| {
            (0..letters.len()).any(|at| match letters.get(at..at + 3) {
                Some([from, '-', to]) => (*from..=*to).contains(c),
                _ => letters[at] == *c,
            })
        };
        let count = text.chars().take(most).take_while(of_class).count();
        if count < least {
            return false;
        }
        text = &text[count..];
        pattern = rest;
    }
    text.is_empty()
}
