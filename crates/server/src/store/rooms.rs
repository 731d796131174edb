//! Rooms: `room#{id}` in `Ephemeral`.

use aws_sdk_dynamodb::types::AttributeValue;

use super::item::{get_flag, get_number, get_text, number, random_id, text};
use super::{Store, StoreError, failed};
use crate::access::ROOM;
use crate::email_address::key_of;

/// The lifetime of a room in seconds.
pub const ROOM_SECONDS: i64 = 24 * 3600;

/// A room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// Its id: 128 random bits, base64url.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The key of its creator's address.
    pub owner: String,
    /// Whether newcomers must knock.
    pub locked: bool,
    /// When it was created, in seconds since 1970.
    pub created_at: i64,
    /// When it expires, in seconds since 1970.
    pub expires_at: i64,
}

/// Returns whether a text can be a room's id. Anything else needs no query.
fn can_be_id(id: &str) -> bool {
    (1..=22).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

impl Store {
    /// Creates a room.
    ///
    /// # Errors
    /// The call failed.
    pub async fn create_room(&self, name: &str, owner: &str, locked: bool, now: i64) -> Result<Room, StoreError> {
        let room = Room {
            id: random_id(),
            name: name.to_owned(),
            owner: owner.to_owned(),
            locked,
            created_at: now,
            expires_at: now + ROOM_SECONDS,
        };
        let call = self
            .client()
            .put_item()
            .table_name(&self.tables.ephemeral)
            .item("key", text(format!("{ROOM}{}", room.id)))
            .item("name", text(&room.name))
            .item("owner", text(&room.owner))
            .item("locked", AttributeValue::Bool(room.locked))
            .item("createdAt", number(room.created_at))
            .item("expiresAt", number(room.expires_at));
        call.send().await.map_err(failed("PutItem"))?;
        Ok(room)
    }

    /// Returns the room with this id, unless it has expired.
    ///
    /// # Errors
    /// The call failed.
    pub async fn room(&self, id: &str, now: i64) -> Result<Option<Room>, StoreError> {
        if !can_be_id(id) {
            return Ok(None);
        }
        let key = text(format!("{ROOM}{id}"));
        let call = self.client().get_item().table_name(&self.tables.ephemeral).key("key", key);
        let answer = call.consistent_read(true).send().await.map_err(failed("GetItem"))?;
        let room = answer.item.and_then(|item| {
            Some(Room {
                id: id.to_owned(),
                name: get_text(&item, "name")?,
                // Earlier versions wrote it in another case.
                owner: key_of(&get_text(&item, "owner")?),
                locked: get_flag(&item, "locked"),
                created_at: get_number(&item, "createdAt")?,
                expires_at: get_number(&item, "expiresAt")?,
            })
        });
        Ok(room.filter(|room| room.expires_at > now))
    }
}
