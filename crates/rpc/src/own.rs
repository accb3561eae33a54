//! Methods for callers that cannot mint a service token: each has credentials of its own.

use std::collections::HashMap;

use http::Extensions;
use mintmark_auth::ClientCertificate;

/// Verifies what was presented, and leaves what it proves in the extensions.
type Verify<P> = Box<dyn Fn(&P, &mut Extensions) -> bool + Send + Sync>;

/// What opens a method.
#[derive(Default)]
struct Own {
    bearer: Option<Verify<str>>,
    certificate: Option<Verify<ClientCertificate>>,
}

/// Such methods by path.
#[derive(Default)]
pub(crate) struct OwnMethods(HashMap<&'static str, Own>);

/// What a caller of such a method came with.
#[derive(Clone, Copy)]
pub(crate) enum Presented<'a> {
    /// A credential: it is judged, and nothing else is.
    Bearer(&'a str),
    /// No credential, and a certificate of somebody who is no service of ours.
    Certificate(&'a ClientCertificate),
}

impl OwnMethods {
    pub(crate) fn add<C: Clone + Send + Sync + 'static>(
        &mut self,
        path: &'static str,
        verify: impl Fn(&str) -> Option<C> + Send + Sync + 'static,
    ) {
        self.0.entry(path).or_default().bearer = Some(proving(verify));
    }

    pub(crate) fn add_certificates<C: Clone + Send + Sync + 'static>(
        &mut self,
        path: &'static str,
        verify: impl Fn(&ClientCertificate) -> Option<C> + Send + Sync + 'static,
    ) {
        self.0.entry(path).or_default().certificate = Some(proving(verify));
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }

    /// Whether what was presented opens the method at `path`.
    pub(crate) fn admits(&self, path: &str, presented: Presented<'_>, proven: &mut Extensions) -> bool {
        let Some(own) = self.0.get(path) else { return false };
        match presented {
            Presented::Bearer(text) => own.bearer.as_ref().is_some_and(|verify| verify(text, proven)),
            Presented::Certificate(it) => own.certificate.as_ref().is_some_and(|verify| verify(it, proven)),
        }
    }
}

fn proving<P: ?Sized + 'static, C: Clone + Send + Sync + 'static>(
    verify: impl Fn(&P) -> Option<C> + Send + Sync + 'static,
) -> Verify<P> {
    Box::new(move |presented, proven| match verify(presented) {
        Some(caller) => {
            proven.insert(caller);
            true
        }
        None => false,
    })
}
