//! When certificates end, for the metric and its alert.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode;

/// The first end among certificates, since 1970: each of a chain is needed, and each authority vouches for somebody.
/// `None` when none can be read; rustls judged them, so this is only about the metric.
pub(super) fn first_end(certificates: &[CertificateDer<'_>]) -> Option<Duration> {
    certificates.iter().filter_map(end).min()
}

fn end(certificate: &CertificateDer<'_>) -> Option<Duration> {
    let read = Certificate::from_der(certificate.as_ref()).ok()?;
    Some(read.tbs_certificate.validity.not_after.to_unix_duration())
}

/// How many seconds are left until `end`; less than none when it is over.
pub(super) fn seconds_until(end: Duration, now: SystemTime) -> f64 {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    end.as_secs_f64() - now.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject;

    use super::*;

    // Two self-signed ones without keys: until 2031-02-03T04:05:06Z and until 2052-01-01T00:00:00Z (a GeneralizedTime).
    const EARLY: &[u8] = b"-----BEGIN CERTIFICATE-----
MIIBBzCBrgIBATAKBggqhkjOPQQDAjAQMQ4wDAYDVQQDDAVlYXJseTAeFw0yNjAx
MDEwMDAwMDBaFw0zMTAyMDMwNDA1MDZaMBAxDjAMBgNVBAMMBWVhcmx5MFkwEwYH
KoZIzj0CAQYIKoZIzj0DAQcDQgAE+pTh3CsLnpetFal/OY6gKmeAldq0ZAWoh8Cn
SleuamiijNsYFI0O9kgA2mnGjXjOH1XHfb+FwGvtJqfdyL4K4zAKBggqhkjOPQQD
AgNIADBFAiAOQmQb03zQBwrj4Hc7iXfU/xhUh2Kb8HDZ6L5iH2be0wIhAL7PC5kZ
pUO1aG6+Z+qfQ4sKNFMeouXySzrRnJcQbZHI
-----END CERTIFICATE-----";
    const LATE: &[u8] = b"-----BEGIN CERTIFICATE-----
MIIBBzCBrgIBATAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARsYXRlMCAXDTI2MDEw
MTAwMDAwMFoYDzIwNTIwMTAxMDAwMDAwWjAPMQ0wCwYDVQQDDARsYXRlMFkwEwYH
KoZIzj0CAQYIKoZIzj0DAQcDQgAE+pTh3CsLnpetFal/OY6gKmeAldq0ZAWoh8Cn
SleuamiijNsYFI0O9kgA2mnGjXjOH1XHfb+FwGvtJqfdyL4K4zAKBggqhkjOPQQD
AgNIADBFAiBOOtGNaNfzRKT8YmT4tAA66xhV8z0twdpdcm7CqG/gxAIhAOjZSlVo
fPFCw5QegHNx4unZetMqWC1/RjxS/+wvvbeN
-----END CERTIFICATE-----";

    #[test]
    fn first_end_is_the_earliest_in_either_form_of_time() {
        let early = CertificateDer::from_pem_slice(EARLY).unwrap();
        let late = CertificateDer::from_pem_slice(LATE).unwrap();
        assert_eq!(first_end(std::slice::from_ref(&late)), Some(Duration::from_secs(2_587_680_000)));
        assert_eq!(first_end(&[late, early]), Some(Duration::from_secs(1_927_857_906)));
        assert_eq!(first_end(&[CertificateDer::from(vec![1, 2, 3])]), None);
    }

    #[test]
    fn seconds_until_an_end_that_is_over_are_less_than_none() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000);
        assert!((seconds_until(Duration::from_secs(1_060), now) - 60.0).abs() < 1e-6);
        assert!((seconds_until(Duration::from_secs(940), now) + 60.0).abs() < 1e-6);
    }
}
