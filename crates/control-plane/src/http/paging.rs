//! Lists on the wire: `?limit=` and `?cursor=` in, `items` and `nextCursor` out.

use mintmark_web::{Cursor, List, Page};
use serde::Serialize;
use utoipa::IntoParams;

use crate::store::page::{Slice, Window};

/// The parameters of every list, for the OpenAPI document; `Page` reads them.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what mintmark_web::Page reads")]
pub struct PageParams {
    /// Items on a page: 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `nextCursor` of the page before; absent: the first page.
    cursor: Option<String>,
}

/// The part of a list that the request asks for.
pub fn window(page: &Page) -> Window {
    Window { limit: page.limit, after: page.cursor }
}

/// The answer to it.
pub fn list<T, V: Serialize>(slice: Slice<T>, view: impl FnMut(T) -> V) -> List<V> {
    let Slice { items, next } = slice.map(view);
    List { items, next_cursor: next.map(|id| Cursor::encode(&id)) }
}
