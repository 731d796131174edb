//! Values that come from the environment and are never in the file.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A secret from the environment: `{ env = "SMTP_PASS" }`. Its value is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// The variable that holds the value.
    pub env: String,
    value: Option<String>,
}

impl Secret {
    /// Creates the secret of a variable, with the value that it has now.
    pub fn from_env(env: impl Into<String>) -> Self {
        let env = env.into();
        let value = std::env::var(&env).ok().filter(|value| !value.is_empty());
        Self { env, value }
    }

    /// Returns the value; `None` if the variable is not set or empty. The caller must not show it.
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Secret {{ env: {:?} }}", self.env)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    env: String,
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = toml::Value::deserialize(deserializer)?;
        if value.is_str() {
            return Err(D::Error::custom(
                "a secret must not be in the file; write { env = \"NAME\" } and set the variable NAME",
            ));
        }
        Written::deserialize(value).map(|written| Self::from_env(written.env)).map_err(D::Error::custom)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        std::collections::BTreeMap::from([("env", &self.env)]).serialize(serializer)
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "A secret from the environment: { env = \"NAME\" }",
            "properties": { "env": {
                "type": "string",
                "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
                "patternErrorMessage": "write the name of a variable, such as \"SMTP_PASS\"",
            } },
            "required": ["env"],
            "additionalProperties": false,
        })
    }
}
