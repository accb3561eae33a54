//! qpdf's own reading of every object, as JSON.

use std::{collections::BTreeMap, path::Path};

use mintmark_preflight_engine::{
    Facts,
    facts::{ObjectRef, Rect},
};
use serde_json::Value;

use super::{Comparison, run};

/// The kinds of action that are told apart from other dictionaries with an `S`.
const ACTIONS: [&str; 9] =
    ["JavaScript", "URI", "Launch", "GoTo", "GoToR", "SubmitForm", "Named", "ResetForm", "ImportData"];

pub fn compare(facts: &Facts, file: &Path, comparison: &mut Comparison) {
    let output = run("qpdf", &["--json=2", "--json-stream-data=none"], file);
    let opened = matches!(output.status.code(), Some(0 | 3));
    comparison.check("qpdf", "opens", &facts.file.readable, &opened);
    if !facts.file.readable || !opened {
        return;
    }
    // Damage of contents, fonts and profiles is none of the structure's.
    let structural = |kind: &str| {
        !["stream_", "profile_", "operator", "unbalanced", "page_count"]
            .iter()
            .any(|start| kind.starts_with(start))
            || kind == "stream_length_wrong"
    };
    let damaged = facts.file.damage.iter().any(|damage| structural(&damage.kind));
    comparison.check("qpdf", "damage", &damaged, &(output.status.code() == Some(3)));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let objects = Objects(&json["qpdf"][1]);
    pages(facts, &json, &objects, comparison);
    encryption(facts, &json["encrypt"], comparison);
    actions(facts, &objects, comparison);
    let mut theirs: Vec<String> = objects
        .0
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, object)| object["value"]["/EF"].is_object())
        .map(|(name, _)| name.trim_start_matches("obj:").to_owned())
        .collect();
    let mut ours: Vec<String> =
        facts.document.embedded_files.iter().filter_map(|file| Some(reference(file.object?))).collect();
    ours.sort();
    theirs.sort();
    comparison.check("qpdf", "attached files", &ours, &theirs);
    let info = objects.resolve(&objects.0["trailer"]["value"]["/Info"]);
    let title = info["/Title"].as_str().map(|title| title.trim_start_matches("u:").to_owned());
    comparison.check("qpdf", "title", &facts.document.metadata.info.get("Title").cloned(), &title);
}

fn reference(object: ObjectRef) -> String {
    format!("{} {} R", object.0, object.1)
}

/// All objects.
struct Objects<'a>(&'a Value);

impl<'a> Objects<'a> {
    /// What a value refers to: the value, or the dictionary of a stream.
    fn resolve(&self, value: &'a Value) -> &'a Value {
        match value.as_str().filter(|text| text.ends_with(" R")) {
            Some(text) => {
                let object = &self.0[format!("obj:{text}")];
                if object["value"].is_null() { &object["stream"]["dict"] } else { &object["value"] }
            }
            None => value,
        }
    }

    /// An entry of a page or of the nodes above it.
    fn inherited(&self, page: &'a Value, key: &str) -> &'a Value {
        let mut node = page;
        for _ in 0..20 {
            if !node[key].is_null() {
                return self.resolve(&node[key]);
            }
            node = self.resolve(&node["/Parent"]);
        }
        &Value::Null
    }

    fn rect(&self, value: &'a Value) -> Option<Rect> {
        let numbers: Vec<f64> = self
            .resolve(value)
            .as_array()?
            .iter()
            .filter_map(|number| self.resolve(number).as_f64())
            .collect();
        let [a, b, c, d] = numbers.as_slice() else { return None };
        Some([a.min(*c), b.min(*d), a.max(*c), b.max(*d)])
    }
}

fn pages(facts: &Facts, json: &Value, objects: &Objects<'_>, comparison: &mut Comparison) {
    let theirs: Vec<&str> =
        json["pages"].as_array().unwrap().iter().map(|page| page["object"].as_str().unwrap()).collect();
    let ours: Vec<String> = facts.pages.iter().filter_map(|page| page.object.map(reference)).collect();
    comparison.check("qpdf", "pages", &ours, &theirs.iter().map(ToString::to_string).collect());
    for page in &facts.pages {
        let number = page.number;
        let Some(object) = page.object else { continue };
        let theirs = &objects.0[format!("obj:{}", reference(object))]["value"];
        let own = |key: &str| objects.rect(&theirs[key]);
        let inherited = |key: &str| objects.rect(objects.inherited(theirs, key));
        let boxes = [
            inherited("/MediaBox"),
            inherited("/CropBox"),
            own("/BleedBox"),
            own("/TrimBox"),
            own("/ArtBox"),
        ];
        let mine = [page.boxes.media, page.boxes.crop, page.boxes.bleed, page.boxes.trim, page.boxes.art];
        comparison.check("qpdf", &format!("boxes of page {number}"), &mine, &boxes);
        let rotation = objects.inherited(theirs, "/Rotate").as_i64().unwrap_or(0);
        comparison.check("qpdf", &format!("rotation of page {number}"), &page.rotate, &rotation);
        let unit = objects.resolve(&theirs["/UserUnit"]).as_f64();
        comparison.check("qpdf", &format!("unit of page {number}"), &page.user_unit, &unit);
        let annotations: Vec<Option<String>> = objects
            .resolve(&theirs["/Annots"])
            .as_array()
            .into_iter()
            .flatten()
            .map(|item| objects.resolve(item)["/Subtype"].as_str().map(|kind| kind[1..].to_owned()))
            .collect();
        let mine: Vec<_> = page.annotations.iter().map(|annotation| Some(annotation.kind.clone())).collect();
        comparison.check("qpdf", &format!("annotations of page {number}"), &mine, &annotations);
    }
}

fn encryption(facts: &Facts, theirs: &Value, comparison: &mut Comparison) {
    let ours = facts.file.encryption.as_ref().map(|it| (it.version, it.revision, it.opened));
    let parameters = &theirs["parameters"];
    let theirs = theirs["encrypted"].as_bool().unwrap().then(|| {
        let number = |key: &str| parameters[key].as_i64().unwrap();
        (number("V"), number("R"), theirs["userpasswordmatched"].as_bool().unwrap())
    });
    comparison.check("qpdf", "encryption", &ours, &theirs);
}

/// How many actions of each kind there are, in reach or not.
fn actions(facts: &Facts, objects: &Objects<'_>, comparison: &mut Comparison) {
    let mut theirs = BTreeMap::new();
    let mut stack = vec![objects.0];
    while let Some(value) = stack.pop() {
        match value {
            Value::Array(items) => stack.extend(items),
            Value::Object(entries) => {
                let kind = value["/S"].as_str().and_then(|kind| kind.strip_prefix('/'));
                if let Some(kind) = kind.filter(|kind| ACTIONS.contains(kind)) {
                    *theirs.entry(kind.to_owned()).or_insert(0) += 1;
                }
                stack.extend(entries.values());
            }
            _ => {}
        }
    }
    let mut ours = BTreeMap::new();
    for action in facts.document.actions.iter().filter(|action| ACTIONS.contains(&action.kind.as_str())) {
        *ours.entry(action.kind.clone()).or_insert(0) += 1;
    }
    comparison.check("qpdf", "actions", &ours, &theirs);
}
