//! A row of the route table.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::Method;
use actix_web::{FromRequest, Handler, Responder, web};

use crate::{Access, Limit};

/// Makes the handler anew for each worker thread.
pub(crate) type MakeHandler = Arc<dyn Fn() -> actix_web::Route + Send + Sync>;

/// A row of the route table: method, path, access, handler.
#[derive(Clone)]
pub struct Route {
    method: Method,
    path: &'static str,
    template: String,
    access: Access,
    limit: Limit,
    deadline: Option<Duration>,
    answers_after: Option<Duration>,
    body_limit: Option<usize>,
    pub(crate) handler: MakeHandler,
}

macro_rules! methods {
    ($($name:ident $method:ident)+) => {
        impl Route {$(
            #[doc = concat!("A row for `", stringify!($method), "`. `path` is an actix pattern: `/v1/x/{id}`, a tail as `{path:.*}`.")]
            pub fn $name<F, Args>(path: &'static str, access: Access, handler: F) -> Self
            where
                F: Handler<Args> + Send + Sync,
                Args: FromRequest + 'static,
                F::Output: Responder + 'static,
            {
                Self::new(Method::$method, path, access, handler)
            }
        )+}
    };
}

methods! { get GET post POST put PUT patch PATCH delete DELETE head HEAD }

impl Route {
    fn new<F, Args>(method: Method, path: &'static str, access: Access, handler: F) -> Self
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let own_method = method.clone();
        let handler = Arc::new(move || web::method(own_method.clone()).to(handler.clone()));
        Self {
            method,
            path,
            template: template(path),
            access,
            limit: Limit::of(access),
            deadline: None,
            answers_after: None,
            body_limit: None,
            handler,
        }
    }

    /// Another deadline than the edge's.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The answer of the handler, whatever it is, is held back for so long: what it changed may be remembered elsewhere for
    /// less than that, and whoever has the answer may rely on it everywhere.
    #[must_use]
    pub fn answers_after(mut self, wait: Duration) -> Self {
        self.answers_after = Some(wait);
        self
    }

    /// Another largest body than the edge's, in bytes.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = Some(bytes);
        self
    }

    /// Another way to be limited than the one that follows from the access.
    #[must_use]
    pub fn limit(mut self, limit: Limit) -> Self {
        self.limit = limit;
        self
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The pattern that is matched.
    #[must_use]
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// The pattern as people, metrics and OpenAPI see it: `{path:.*}` is `{path}`.
    #[must_use]
    pub fn template(&self) -> &str {
        &self.template
    }

    /// Who may come.
    #[must_use]
    pub fn access(&self) -> Access {
        self.access
    }

    pub(crate) fn how_limited(&self) -> Limit {
        self.limit
    }

    pub(crate) fn own_body_limit(&self) -> Option<usize> {
        self.body_limit
    }

    /// How long the handler's answer is held back, where it is.
    #[must_use]
    pub fn held_back(&self) -> Option<Duration> {
        self.answers_after
    }

    pub(crate) fn own_deadline(&self) -> Option<Duration> {
        self.deadline
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {:?}", self.method, self.template, self.access)
    }
}

// Drops the regular expression of each parameter; braces may nest in it (`{code:[0-9]{20}}`).
fn template(path: &str) -> String {
    let mut template = String::with_capacity(path.len());
    let (mut depth, mut hidden) = (0_u32, false);
    for character in path.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ':' if depth == 1 => hidden = true,
            _ => {}
        }
        if depth == 0 {
            hidden = false;
        }
        if !hidden {
            template.push(character);
        }
    }
    template
}

#[cfg(test)]
mod tests {
    use super::template;

    #[test]
    fn template_of_a_pattern_drops_its_expressions() {
        assert_eq!(template("/v1/brands/{brandId}/batches"), "/v1/brands/{brandId}/batches");
        assert_eq!(template("/objects/{path:.*}"), "/objects/{path}");
        assert_eq!(template("/01/{gtin:[0-9]{14}}/21/{code}"), "/01/{gtin}/21/{code}");
    }
}
