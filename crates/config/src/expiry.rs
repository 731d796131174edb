//! When a stack expires, as people write it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Span;

/// The hint for a text that is none of the accepted forms.
const FORMS: &str = "write a duration after each `up` (\"48h\", \"14days\"), a time (\"2027-03-01T18:00:00Z\"), \
                     a date (\"2027-03-01\", expires when that day ends in UTC) or \"never\"";
/// Written for a stage that does not expire although the rest of the file sets an expiry.
const NEVER: &str = "never";
/// The seconds of a day.
const DAY: u64 = 86_400;
/// The latest time that fits the tag's format, in Unix seconds: the end of the year 9999.
const LATEST: u64 = 253_402_300_799;

/// When a stack may be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// It expires this long after the last `up`.
    After(Span),
    /// It expires at this time.
    At(SystemTime),
    /// It never expires.
    Never,
}

impl Expiry {
    /// Returns the time of expiry, counted from `now`.
    pub fn moment(&self, now: SystemTime) -> Option<SystemTime> {
        let latest = SystemTime::UNIX_EPOCH + Duration::from_secs(LATEST);
        match self {
            Self::After(span) => Some(now.checked_add(span.0).map_or(latest, |moment| moment.min(latest))),
            Self::At(moment) => Some(*moment),
            Self::Never => None,
        }
    }

    /// Returns the value of the tag `peersync:expires-at`: RFC 3339 in UTC, in whole seconds.
    pub fn tag_from(&self, now: SystemTime) -> Option<String> {
        self.moment(now).map(|moment| humantime::format_rfc3339_seconds(moment).to_string())
    }

    /// Returns whether the time of expiry has come.
    pub fn is_past(&self, now: SystemTime) -> bool {
        self.moment(now).is_some_and(|moment| moment <= now)
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(span) => span.fmt(formatter),
            Self::At(moment) => humantime::format_rfc3339_seconds(*moment).fmt(formatter),
            Self::Never => formatter.write_str(NEVER),
        }
    }
}

impl FromStr for Expiry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text == NEVER {
            return Ok(Self::Never);
        }
        if let Some(moment) = moment(text) {
            return Ok(Self::At(moment));
        }
        match text.parse::<Span>() {
            Ok(span) if !span.0.is_zero() => Ok(Self::After(span)),
            _ => Err(FORMS.to_owned()),
        }
    }
}

/// Parses a time with its offset from UTC, or a date, which means the end of that day in UTC.
fn moment(text: &str) -> Option<SystemTime> {
    let day = text.len() == "2027-03-01".len();
    let written = if day { format!("{text}T00:00:00Z") } else { text.replacen(' ', "T", 1) };
    let moment = DateTime::from_str(&written, Format::DateTimeWithOffset).ok()?;
    let seconds = u64::try_from(moment.secs()).ok()?.checked_add(if day { DAY } else { 0 })?;
    (seconds <= LATEST).then(|| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

impl<'de> Deserialize<'de> for Expiry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // TOML has its own dates; people write them with and without quotes.
        let text = match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => text,
            toml::Value::Datetime(moment) => moment.to_string(),
            _ => return Err(serde::de::Error::custom(FORMS)),
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Expiry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Expiry {
    fn schema_name() -> Cow<'static, str> {
        "Expiry".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A duration (48h, 14days), a time (2027-03-01T18:00:00Z), a date (2027-03-01) or never",
            "examples": ["48h", "2027-03-01T18:00:00Z", "2027-03-01", "never"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(text: &str) -> String {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        match text.parse::<Expiry>() {
            Ok(expiry) => expiry.tag_from(now).unwrap_or_else(|| "never".to_owned()),
            Err(error) => error,
        }
    }

    #[test]
    fn durations_count_from_now() {
        assert_eq!(tag("48h"), "2027-01-17T08:00:00Z");
        assert_eq!(tag("14days"), "2027-01-29T08:00:00Z");
    }

    #[test]
    fn times_keep_their_offset() {
        assert_eq!(tag("2027-03-01T18:00:00Z"), "2027-03-01T18:00:00Z");
        assert_eq!(tag("2027-03-01T18:00:00+02:00"), "2027-03-01T16:00:00Z");
        assert_eq!(tag("2027-03-01 18:00:00Z"), "2027-03-01T18:00:00Z");
    }

    #[test]
    fn never_gives_no_tag() {
        assert_eq!("never".parse::<Expiry>().map(|expiry| expiry.tag_from(SystemTime::now())), Ok(None));
    }

    #[test]
    fn a_date_expires_at_the_end_of_the_day() {
        assert_eq!(tag("2027-12-31"), "2028-01-01T00:00:00Z");
    }

    #[test]
    fn very_long_durations_are_capped() {
        assert_eq!(tag("1000000years"), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn invalid_texts_explain_what_to_write() {
        for wrong in ["", "soon", "0s", "2027-13-01", "2027-03-01T18:00:00", "1969-01-01", "48"] {
            assert!(wrong.parse::<Expiry>().is_err_and(|error| error.contains(FORMS)), "{wrong}");
        }
    }
}
