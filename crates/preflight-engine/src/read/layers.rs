//! Optional content: groups, their state in the default configuration, processing steps.

use std::collections::HashSet;

use hayro_syntax::object::{Array, Dict, ObjectIdentifier};

use super::{Source, access};
use crate::facts::{Layer, Layers, ProcessingStep};

/// Keys of the default configuration that are listed; ISO 32000 knows eleven.
const KEYS: usize = 100;

/// Layers of a document; `None` where it has no optional content.
pub(super) fn read(source: &Source<'_>) -> Option<Layers> {
    let properties = source.catalog.get::<Dict<'_>>("OCProperties")?;
    let default = properties.get::<Dict<'_>>("D").unwrap_or_default();
    let base_state = access::name(&default, "BaseState").unwrap_or_else(|| "ON".to_owned());
    let on = members(source, &default, "ON");
    let off = members(source, &default, "OFF");
    let mut groups = Vec::new();
    let mut seen = HashSet::new();
    for item in properties.get::<Array<'_>>("OCGs").iter().flat_map(Array::raw_iter) {
        if !source.meter.object() {
            break;
        }
        let reference = item.as_obj_ref().map(ObjectIdentifier::from);
        if reference.is_some_and(|id| !seen.insert(id)) {
            continue;
        }
        let Some(dict) = access::resolve(source.pdf.xref(), item).and_then(access::dictionary) else {
            continue;
        };
        let listed = |list: &HashSet<ObjectIdentifier>| reference.is_some_and(|id| list.contains(&id));
        groups.push(Layer {
            name: access::text(&dict, "Name").unwrap_or_default(),
            object: reference.map(access::object_ref),
            on: if base_state == "OFF" { listed(&on) } else { !listed(&off) },
            step: step(&dict),
        });
    }
    let mut default_keys: Vec<String> = default.keys().map(|key| access::name_text(&key)).collect();
    default_keys.sort();
    default_keys.truncate(KEYS);
    Some(Layers {
        groups,
        alternate_configurations: configurations(&properties),
        automatic_states: default.contains_key("AS"),
        base_state,
        default_keys,
    })
}

/// The groups that a list of the configuration names.
fn members(source: &Source<'_>, configuration: &Dict<'_>, key: &str) -> HashSet<ObjectIdentifier> {
    configuration
        .get::<Array<'_>>(key)
        .iter()
        .flat_map(Array::raw_iter)
        .take_while(|_| source.meter.object())
        .filter_map(|item| item.as_obj_ref().map(ObjectIdentifier::from))
        .collect()
}

/// `Configs`, where present: how many.
fn configurations(properties: &Dict<'_>) -> Option<u32> {
    if !properties.contains_key("Configs") {
        return None;
    }
    let count =
        properties.get::<Array<'_>>("Configs").map_or(0, |array| array.raw_iter().take(100_000).count());
    u32::try_from(count).ok()
}

/// The processing step that a group's metadata declare (ISO 19593-1).
fn step(group: &Dict<'_>) -> Option<ProcessingStep> {
    let metadata = group.get::<Dict<'_>>("GTS_Metadata")?;
    Some(ProcessingStep {
        group: access::text(&metadata, "GTS_ProcStepsGroup")?,
        step: access::text(&metadata, "GTS_ProcStepsType").unwrap_or_default(),
    })
}
