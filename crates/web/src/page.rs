//! Lists in pages, with an opaque cursor.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mintmark_fault::Fault;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Problem;
use crate::extract::query;

/// Most items of one page.
const MAX_LIMIT: u32 = 200;
/// Items of a page when nothing is said.
const DEFAULT_LIMIT: u32 = 50;

/// What a list is ordered by, and a cursor therefore points at.
pub trait CursorKey: Sized {
    /// The key as bytes.
    fn to_bytes(&self) -> Vec<u8>;
    /// The key from such bytes; `None` when they are none.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

impl CursorKey for Uuid {
    fn to_bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::from_slice(bytes).ok()
    }
}

impl CursorKey for u64 {
    fn to_bytes(&self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_be_bytes)
    }
}

/// A place in a list, as clients see it: base64url, to be given back as it came.
#[derive(Debug)]
pub struct Cursor;

impl Cursor {
    /// The cursor that points behind the item with this key.
    pub fn encode(key: &impl CursorKey) -> String {
        URL_SAFE_NO_PAD.encode(key.to_bytes())
    }

    /// The key that a cursor points at.
    ///
    /// # Errors
    /// 400 `INVALID_CURSOR`.
    pub fn decode<K: CursorKey>(cursor: &str) -> Result<K, Fault> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
        bytes.and_then(|bytes| K::from_bytes(&bytes)).ok_or_else(|| {
            let sentence = "this is no cursor of this list: take nextCursor of the page before, as it is";
            Fault::invalid("INVALID_CURSOR", "cursor", sentence)
        })
    }
}

/// Which page of a list is asked for (`?limit=` 1 to 200, default 50, and `?cursor=`). An extractor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<K = Uuid> {
    /// Most items of the page.
    pub limit: u32,
    /// The key of the last item of the page before.
    pub cursor: Option<K>,
}

impl<K> Page<K> {
    /// Rows to ask the store for: one more than the page holds tells whether another page follows.
    #[must_use]
    pub fn fetch(&self) -> i64 {
        i64::from(self.limit) + 1
    }
}

#[derive(Deserialize)]
struct Asked {
    limit: Option<u32>,
    cursor: Option<String>,
}

impl<K: CursorKey> Page<K> {
    fn read(text: &str) -> Result<Self, Fault> {
        let asked: Asked = query(text, |name| matches!(name, "limit" | "cursor"))?;
        let limit = asked.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            let sentence = format!("a page holds from 1 to {MAX_LIMIT} items");
            return Err(Fault::invalid("INVALID_QUERY", "limit", sentence));
        }
        let cursor = asked.cursor.map(|cursor| Cursor::decode(&cursor)).transpose()?;
        Ok(Self { limit, cursor })
    }
}

impl<K: CursorKey + 'static> FromRequest for Page<K> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::read(request.query_string()).map_err(Problem))
    }
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct List<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Where the next page begins; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl<T> List<T> {
    /// A page out of up to `page.fetch()` rows: `key` is what the rows are ordered by, `view` how the client sees one.
    pub fn of<R, K: CursorKey>(
        page: &Page<K>,
        mut rows: Vec<R>,
        key: impl Fn(&R) -> K,
        view: impl Fn(R) -> T,
    ) -> Self {
        let limit = page.limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| more).map(|last| Cursor::encode(&key(last)));
        Self { items: rows.into_iter().map(view).collect(), next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_of_a_wrong_page_names_the_parameter() {
        for (text, code, field) in [
            ("limit=0", "INVALID_QUERY", "limit"),
            ("limit=201", "INVALID_QUERY", "limit"),
            ("limit=-1", "INVALID_QUERY", "limit"),
            ("cursor=", "INVALID_CURSOR", "cursor"),
            ("cursor=AAAA", "INVALID_CURSOR", "cursor"),
            ("cursor=%00", "INVALID_CURSOR", "cursor"),
        ] {
            let fault = Page::<Uuid>::read(text).unwrap_err();
            assert_eq!((fault.code(), fault.field_name()), (code, Some(field)), "{text}");
        }
    }

    #[test]
    fn list_of_all_pages_is_the_whole_list_once() {
        let all: Vec<u64> = (1..=7).collect();
        let mut page = Page::<u64>::read("limit=3&other=x").unwrap();
        let mut seen = Vec::new();
        loop {
            let after = page.cursor.unwrap_or(0);
            let rows = all.iter().copied().filter(|n| *n > after).take(page.fetch() as usize).collect();
            let list = List::of(&page, rows, |row| *row, |row| row);
            assert!(list.items.len() <= 3);
            seen.extend(list.items);
            let Some(next) = list.next_cursor else { break };
            page = Page::read(&format!("limit=3&cursor={next}")).unwrap();
        }
        assert_eq!(seen, all);
    }
}
