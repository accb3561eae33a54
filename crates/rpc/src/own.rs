//! Methods for callers that cannot mint a service token: each has credentials of its own.

use std::collections::HashMap;

use http::Extensions;

/// Verifies what was presented, and leaves what it proves in the extensions.
type Verify = Box<dyn Fn(&str, &mut Extensions) -> bool + Send + Sync>;

/// Such methods by path.
#[derive(Default)]
pub(crate) struct OwnMethods(HashMap<&'static str, Verify>);

impl OwnMethods {
    pub(crate) fn add<C: Clone + Send + Sync + 'static>(
        &mut self,
        path: &'static str,
        verify: impl Fn(&str) -> Option<C> + Send + Sync + 'static,
    ) {
        let verify = move |presented: &str, proven: &mut Extensions| match verify(presented) {
            Some(caller) => {
                proven.insert(caller);
                true
            }
            None => false,
        };
        self.0.insert(path, Box::new(verify));
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }

    /// Whether what was presented opens the method at `path`.
    pub(crate) fn admits(&self, path: &str, presented: &str, proven: &mut Extensions) -> bool {
        self.0.get(path).is_some_and(|verify| verify(presented, proven))
    }
}
