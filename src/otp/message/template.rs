use crate::error::ConfigError;

/// A text with places to fill in.
#[derive(Clone, Debug)]
pub(super) struct Template(Vec<Piece>);

#[derive(Clone, Debug)]
enum Piece {
    Text(Box<str>),
    Code,
    App,
    Minutes,
}

/// What is filled in.
#[derive(Clone, Copy)]
pub(super) struct Values<'a> {
    pub(super) code: &'a str,
    pub(super) app: &'a str,
    pub(super) minutes: u64,
}

impl Template {
    /// Reads a text with a code.
    pub(super) fn parse(text: &str) -> Result<Self, ConfigError> {
        let template = Self::read(text)?;
        if template.0.iter().any(|piece| matches!(piece, Piece::Code)) {
            return Ok(template);
        }
        Err(ConfigError::new("`{code}` is missing"))
    }

    /// Reads a text without one.
    pub(super) fn parse_notice(text: &str) -> Result<Self, ConfigError> {
        let template = Self::read(text)?;
        if text.trim().is_empty() {
            return Err(ConfigError::new("it is empty"));
        }
        if template.0.iter().any(|piece| matches!(piece, Piece::Code | Piece::Minutes)) {
            return Err(ConfigError::new("a notice has no `{code}` and no `{minutes}`"));
        }
        Ok(template)
    }

    /// Braces are for the places that are known, and for nothing else.
    fn read(text: &str) -> Result<Self, ConfigError> {
        if text.chars().any(|character| character.is_control() && character != '\n') {
            return Err(ConfigError::new("a line break is the only control character allowed"));
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, found) = rest.split_at(at);
            let (piece, after) = Piece::read(found)?;
            pieces.extend([Piece::Text(before.into()), piece]);
            rest = after;
        }
        pieces.push(Piece::Text(rest.into()));
        Ok(Self(pieces))
    }

    pub(super) fn fill(&self, into: &mut String, values: Values<'_>) {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => into.push_str(text),
                Piece::Code => into.push_str(values.code),
                Piece::App => into.push_str(values.app),
                Piece::Minutes => into.push_str(&values.minutes.to_string()),
            }
        }
    }
}

impl Piece {
    /// Reads the place that `text` begins with, and says what comes after.
    fn read(text: &str) -> Result<(Self, &str), ConfigError> {
        for (name, piece) in
            [("{code}", Self::Code), ("{app}", Self::App), ("{minutes}", Self::Minutes)]
        {
            if let Some(after) = text.strip_prefix(name) {
                return Ok((piece, after));
            }
        }
        let end = text.find('}').map_or(1, |end| end + 1);
        let found = &text[..end];
        Err(ConfigError::new(format!(
            "`{}`: only {{code}}, {{app}} and {{minutes}} are known",
            found.escape_debug()
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<String, ConfigError> {
        let mut out = String::new();
        let values = Values { code: "012345", app: "Acme", minutes: 5 };
        Template::parse(text)?.fill(&mut out, values);
        Ok(out)
    }

    #[test]
    fn each_place_is_filled_in_as_often_as_it_stands_there() {
        assert_eq!(filled("{code}").unwrap(), "012345");
        assert_eq!(
            filled("{app}: {code}, {minutes} min.\n{code}{app}!").unwrap(),
            "Acme: 012345, 5 min.\n012345Acme!"
        );
    }

    #[test]
    fn requirement_14_nothing_but_the_known_places_gets_in() {
        let known = "only {code}, {app} and {minutes} are known";
        for (text, found) in [
            ("Dear {name}, {code}", "{name}"),
            ("{code} {Code}", "{Code}"),
            ("{code} { code }", "{ code }"),
            ("{{code}}", "{{code}"),
            ("{code}}", "}"),
            ("{code} {", "{"),
            ("{code} {}", "{}"),
        ] {
            assert_eq!(filled(text).unwrap_err().to_string(), format!("`{found}`: {known}"));
        }
        for text in ["", "{app}", "code", "{code}\0", "{code}\r\n", "{code}\u{1b}"] {
            assert!(filled(text).is_err(), "{text:?}");
        }
    }
}
