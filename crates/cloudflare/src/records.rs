//! DNS records.

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Cloudflare;
use peersync_engine::ResourceError;

/// The types of records that lead a name somewhere, of which a CNAME excludes every other.
const LEADING: [&str; 3] = ["A", "AAAA", "CNAME"];

/// A DNS record.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Record {
    /// Its id.
    pub id: String,
    /// Its whole name.
    pub name: String,
    /// Its type, such as `CNAME`.
    pub r#type: String,
    /// Where it leads.
    #[serde(default)]
    pub content: String,
    /// Whether browsers connect to Cloudflare, which a tunnel requires.
    #[serde(default)]
    pub proxied: bool,
    /// The comment, at most 100 characters in the free plan.
    #[serde(default)]
    pub comment: Option<String>,
}

/// What is written of a record.
#[derive(Clone, Debug, Serialize)]
pub struct RecordSettings<'a> {
    /// Its whole name.
    pub name: &'a str,
    /// Where it leads.
    pub content: &'a str,
    /// The comment.
    pub comment: &'a str,
}

impl RecordSettings<'_> {
    /// A proxied record has no lifetime of its own: 1 is "automatic".
    fn body(&self) -> serde_json::Value {
        let (name, content, comment) = (self.name, self.content, self.comment);
        json!({ "type": "CNAME", "name": name, "content": content, "comment": comment, "proxied": true, "ttl": 1 })
    }
}

impl Cloudflare {
    /// Returns the records of a name that lead somewhere.
    ///
    /// # Errors
    /// Cloudflare does not answer, or refuses the token.
    pub async fn records(&self, zone: &str, name: &str) -> Result<Vec<Record>, ResourceError> {
        let path = format!("zones/{zone}/dns_records?name.exact={name}&per_page=100");
        let records =
            self.get::<Vec<Record>>("failed to read the DNS records of the domain at Cloudflare", &path).await?;
        let mut records = records.unwrap_or_default();
        records.retain(|record| record.name.eq_ignore_ascii_case(name) && LEADING.contains(&record.r#type.as_str()));
        Ok(records)
    }

    /// Creates a CNAME record through which browsers reach Cloudflare.
    ///
    /// # Errors
    /// Cloudflare does not answer, or refuses the token or the record.
    pub async fn create_record(&self, zone: &str, settings: &RecordSettings<'_>) -> Result<Record, ResourceError> {
        let path = format!("zones/{zone}/dns_records");
        self.change("failed to create the DNS record at Cloudflare", Method::POST, &path, &settings.body()).await
    }

    /// Makes a record such a CNAME record, whatever it was.
    ///
    /// # Errors
    /// Cloudflare does not answer, or refuses the token or the record.
    pub async fn change_record(
        &self,
        zone: &str,
        record: &str,
        settings: &RecordSettings<'_>,
    ) -> Result<Record, ResourceError> {
        let path = format!("zones/{zone}/dns_records/{record}");
        self.change("failed to change the DNS record at Cloudflare", Method::PUT, &path, &settings.body()).await
    }

    /// Deletes a record. Succeeds if it is already gone.
    ///
    /// # Errors
    /// Cloudflare does not answer, or refuses the token.
    pub async fn delete_record(&self, zone: &str, record: &str) -> Result<(), ResourceError> {
        self.delete("failed to delete the DNS record at Cloudflare", &format!("zones/{zone}/dns_records/{record}"))
            .await
    }
}
