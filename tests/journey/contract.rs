//! `make contract`: the contract's commands against a running platform, and a platform where one of them does not hold.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use mintmark_tests::Home;

/// Every command and its negatives pass, twice; with another tenant's name B fails, and so does the whole.
pub fn assert_holds(home: &Home) {
    for run in ["first", "second"] {
        let output = home.run(&["contract"]).unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{run}: {said}{error}");
        for (command, checks) in [("✓ A  ", 3), ("✓ B  ", 3), ("✓ C  ", 3), ("✓ D  ", 5), ("pass", 14)]
        {
            assert_eq!(said.matches(command).count(), checks, "{run}, {command}: {said}");
        }
        assert!(!said.contains("FAIL"), "{said}");
    }

    let (file, tenant) = (home.path().join("dev.env"), "ACTIVE_TENANT_ID='ppos-production-worker'");
    let right = std::fs::read_to_string(&file).unwrap();
    assert!(right.contains(tenant), "{right}");
    std::fs::write(&file, right.replace(tenant, "ACTIVE_TENANT_ID='fjord-goods'")).unwrap();
    let output = home.run(&["contract"]).unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    std::fs::write(&file, right).unwrap();
    assert!(!output.status.success() && said.contains("✗ B  "), "another tenant's file was taken: {said}");
}
