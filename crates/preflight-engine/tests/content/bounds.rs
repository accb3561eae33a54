//! Budgets: what is hostile ends soon, and says which budget ended it.

use super::*;
use std::time::{Duration, Instant};

fn limited(doc: &Doc, budgets: &Budgets) -> (Facts, Vec<String>) {
    let begin = Instant::now();
    let facts = mintmark_preflight_engine::read(doc.build(), budgets);
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    let hits = facts.limits.iter().map(|hit| hit.budget.clone()).collect();
    (facts, hits)
}

#[test]
fn thirty_levels_of_doubled_forms_stop() {
    let mut doc = doc("/X Do");
    let mut inner = doc.stream("/Subtype /Form /BBox [0 0 600 600]", b"0 0 9 9 re f");
    for _ in 0..26 {
        let entries =
            format!("/Subtype /Form /BBox [0 0 600 600] /Resources << /XObject << /X {inner} 0 R >> >>");
        inner = doc.stream(&entries, b"/X Do /X Do");
    }
    doc.page().xobjects = format!("/X {inner} 0 R");
    let (facts, hits) = limited(&doc, &Budgets { form_executions: 20_000, ..Budgets::default() });
    assert_eq!(hits, ["form_executions"]);
    assert!(page(&facts).inked);
}

#[test]
fn form_that_executes_itself_is_damage() {
    let mut doc = doc("/X Do 0 0 9 9 re f");
    let own = doc.file.reserve();
    let body = "/X Do";
    doc.file.set(
        own,
        format!(
            "<< /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X {own} 0 R >> >> /Length {} >>\nstream\n\
             {body}\nendstream",
            body.len()
        ),
    );
    doc.page().xobjects = format!("/X {own} 0 R");
    let (facts, hits) = limited(&doc, &Budgets::default());
    assert_eq!((damage(&facts), hits.len()), (vec!["form_recursion"], 0));
    assert_eq!(elements(&facts).len(), 1);
}

#[test]
fn forms_too_deep_stop_there() {
    let mut doc = doc("/X Do");
    let mut inner = doc.stream("/Subtype /Form /BBox [0 0 600 600]", b"0 0 9 9 re f");
    for _ in 0..40 {
        let entries =
            format!("/Subtype /Form /BBox [0 0 600 600] /Resources << /XObject << /X {inner} 0 R >> >>");
        inner = doc.stream(&entries, b"/X Do");
    }
    doc.page().xobjects = format!("/X {inner} 0 R");
    assert_eq!(limited(&doc, &Budgets::default()).1, ["form_depth"]);
}

#[test]
fn nested_q_beyond_the_budget_saves_nothing_and_returns_right() {
    let mut doc = doc("");
    doc.page().content =
        format!("1 0 0 rg {} 0 1 0 rg {} 0 0 9 9 re f", "q ".repeat(300_000), "Q ".repeat(300_000));
    doc.page().compress = true;
    let (facts, hits) = limited(&doc, &Budgets::default());
    assert_eq!(hits, ["graphics_states"]);
    assert_eq!(only(&facts).paint.values.as_deref(), Some(&[1.0, 0.0, 0.0][..]));
    assert_eq!(damage(&facts), [""; 0]);
}

#[test]
fn operators_beyond_the_budget_are_not_read() {
    let doc = doc(&"0 0 9 9 re f ".repeat(1_000));
    let (facts, hits) = limited(&doc, &Budgets { page_operators: 100, ..Budgets::default() });
    assert_eq!(hits, ["page_operators"]);
    assert_eq!(page(&facts).counts.fills, 50);
}

#[test]
fn distinct_elements_beyond_the_budget_are_counted() {
    let content: String =
        (0..300).map(|step| format!("{} w 0 0 m 9 9 l S ", f64::from(step) / 10.0)).collect();
    let (facts, hits) = limited(&doc(&content), &Budgets { page_elements: 100, ..Budgets::default() });
    assert_eq!(hits, ["page_elements"]);
    assert_eq!((elements(&facts).len(), page(&facts).elements_left_off), (100, 200));
}

#[test]
fn elements_of_all_pages_together_have_a_budget() {
    let content: String = (0..30).map(|step| format!("{step} w 0 0 m 9 9 l S ")).collect();
    let mut doc = doc(&content);
    doc.pages = vec![doc.pages[0].clone(); 3];
    let (facts, hits) = limited(&doc, &Budgets { total_elements: 50, ..Budgets::default() });
    assert_eq!(hits, ["total_elements"]);
    let kept: Vec<_> = facts.pages.iter().map(|page| (page.elements.len(), page.elements_left_off)).collect();
    assert_eq!(kept, [(30, 0), (20, 10), (0, 30)]);
}

#[test]
fn matrices_without_bound_give_numbers_still() {
    let facts = facts(&format!(
        "{} 1 w 0 0 m 9 9 l S",
        "1e9 0 0 1000000000 0 0 cm 1000000000 0 0 1000000000 0 0 cm ".repeat(40)
    ));
    let json = serde_json::to_string(&facts).unwrap();
    serde_json::from_str::<Facts>(&json).unwrap();
}

#[test]
fn facts_of_damaged_numbers_can_be_read_back() {
    let facts = facts(
        "1 0 0 0 0 0 cm 99999999999999999999999 w 0 0 m 1e400 9 l S BT /F1 99999999999 Tf 0 Tz (AB) Tj ET",
    );
    let json = serde_json::to_string(&facts).unwrap();
    assert_eq!(serde_json::from_str::<Facts>(&json).unwrap(), facts);
}
