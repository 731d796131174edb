//! The age from which something is replaced, as people write it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Span;

/// The hint for a text that is none of the accepted forms.
const FORMS: &str = "write a duration of a day or more, such as \"30days\", or \"never\"";
/// Written if age is no reason to replace anything.
const NEVER: &str = "never";
/// The shortest age. AWS publishes images every week or two.
const SHORTEST: Duration = Duration::from_secs(86_400);

/// The age from which something is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxAge {
    /// It is replaced when it is older than this.
    Of(Span),
    /// It is never replaced because of its age.
    Never,
}

impl MaxAge {
    /// Creates an age in days.
    pub const fn days(days: u64) -> Self {
        Self::Of(Span(Duration::from_secs(days * 86_400)))
    }

    /// Returns the age, if there is one.
    pub fn limit(self) -> Option<Duration> {
        match self {
            Self::Of(span) => Some(span.0),
            Self::Never => None,
        }
    }
}

impl fmt::Display for MaxAge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(span) => span.fmt(formatter),
            Self::Never => formatter.write_str(NEVER),
        }
    }
}

impl FromStr for MaxAge {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim() == NEVER {
            return Ok(Self::Never);
        }
        match text.parse::<Span>() {
            Ok(span) if span.0 >= SHORTEST => Ok(Self::Of(span)),
            _ => Err(FORMS.to_owned()),
        }
    }
}

impl<'de> Deserialize<'de> for MaxAge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for MaxAge {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for MaxAge {
    fn schema_name() -> Cow<'static, str> {
        "MaxAge".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A duration of a day or more (30days), or never",
            "examples": ["30days", "never"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_read_as_they_are_written() {
        for text in ["30days", "1day", "36h", "never"] {
            let age: MaxAge = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(age.to_string().parse(), Ok(age), "{text}");
        }
        assert_eq!("30days".parse(), Ok(MaxAge::days(30)));
        assert_eq!((MaxAge::days(30).limit(), MaxAge::Never.limit()), (Some(30 * SHORTEST), None));
    }

    #[test]
    fn other_texts_explain_what_to_write() {
        for wrong in ["", "0", "0s", "23h", "30", "soon"] {
            assert_eq!(wrong.parse::<MaxAge>(), Err(FORMS.to_owned()), "{wrong}");
        }
    }
}
