use mintmark_codes::{Code, CodeDigest, Gtin, Partition, Pepper, link};
use mintmark_ids::{BatchId, TenantId};
use mintmark_minting::{BatchSecret, CodeMasterKey};

#[test]
fn a_printed_code_is_the_one_that_was_published() {
    let tenant = TenantId::parse("acme").unwrap();
    let (batch, partition) = (BatchId::new(), Partition::new(17).unwrap());
    let master = CodeMasterKey::new("cmk-1".to_owned(), [1; 32]);
    let pepper = Pepper::new(&[2; 32]);

    // Minting: the secret is wrapped for the database, digests are published, the directory keeps hashes.
    let secret = BatchSecret::generate();
    let wrapped = master.wrap(&secret, &tenant, batch);
    let deriver = secret.deriver(partition);
    let stored: Vec<_> =
        (1..=100).map(|serial| pepper.hash(&CodeDigest::of(&deriver.derive(serial)))).collect();
    drop((secret, deriver));

    // Export, later: the secret is unwrapped and the codes are derived again.
    let again = master.unwrap(&wrapped, &tenant, batch).unwrap().deriver(partition);
    let base = link::Base::parse("https://id.example").unwrap();
    let gtin = Gtin::parse("96385074").unwrap();
    for (serial, known) in (1..=100).zip(stored) {
        let uri = link::unit_uri_qr(&base, &gtin, &again.derive(serial));

        // Scan: the path of the printed URI is all there is.
        let scanned = link::Link::from_path(uri.strip_prefix("HTTPS://ID.EXAMPLE").unwrap()).unwrap();
        assert_eq!(scanned.gtin, gtin);
        assert_eq!(scanned.code.partition(), partition);
        assert_eq!(pepper.hash(&CodeDigest::of(&scanned.code)), known);
        let typed = Code::parse(&scanned.code.grouped().to_lowercase()).unwrap();
        assert_eq!(pepper.hash(&CodeDigest::of(&typed)), known);
    }
}
