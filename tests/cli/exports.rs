//! Export packs on a real platform.

use std::io::Write;

use crate::desk::Desk;

/// Makes a pack, downloads it, and again after half of it was lost.
pub fn checks(desk: &Desk, batch: &str) {
    assert!(desk.shows(&["export", "list", batch]).starts_with("No exports of this batch yet"));
    let said = desk.run(&["export", "create", batch, "--format", "csv,pdf", "--wait"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.err.contains("export: ready") && said.out.contains("formats  csv, pdf"), "{said:?}");
    let export = said.out.lines().next().unwrap().split_whitespace().nth(1).unwrap().to_owned();
    assert!(desk.shows(&["export", "list", batch]).contains(&export));
    assert!(desk.shows(&["export", "show", &export]).contains("ready"));

    let done = desk.json(&["export", "download", &export]);
    let folder = desk.path(&export);
    let (part, index) = (folder.join("part-0001.zip"), folder.join("index.json"));
    let whole = std::fs::read(&part).unwrap();
    assert_eq!(done["files"][0]["bytes"], whole.len());
    serde_json::from_slice::<serde_json::Value>(&std::fs::read(&index).unwrap()).unwrap();

    // What another run left half done is gone on with: the store's own Range.
    std::fs::remove_file(&part).unwrap();
    let half = &whole[..whole.len() / 2];
    let staged = folder.join(format!("part-0001.zip.{export}.part"));
    std::fs::File::create(&staged).unwrap().write_all(half).unwrap();
    let again = desk.json(&["export", "download", &export]);
    assert_eq!(
        (&again["files"][0]["resumedAt"], &again["files"][1]["wasThere"]),
        (&half.len().into(), &true.into())
    );
    assert_eq!(std::fs::read(&part).unwrap(), whole);

    // Something else under the name stays, unless it is meant.
    std::fs::write(&part, "mine").unwrap();
    assert_eq!(desk.run(&["export", "download", &export]).code, Some(2));
    desk.shows(&["export", "download", &export, "--force"]);
    assert_eq!(std::fs::read(&part).unwrap(), whole);
    assert_eq!(desk.fails(6, &["export", "show", "exp_01h45ytscbebyvny4gc8cr8ma2"])["status"], 404);
}
