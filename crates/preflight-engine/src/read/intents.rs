//! Output intents.

use hayro_syntax::object::{Array, Stream};

use super::{Source, access, damage::Damages, icc};
use crate::facts::OutputIntent;

/// Output intents that are read.
const INTENTS: usize = 64;

/// The output intents of the catalog, in order.
pub(super) fn read(source: &Source<'_>, damages: &mut Damages) -> Vec<OutputIntent> {
    let Some(array) = source.catalog.get::<Array<'_>>("OutputIntents") else { return Vec::new() };
    let mut intents = Vec::new();
    for item in array.raw_iter().take(INTENTS) {
        let Some(dict) = access::resolve(source.pdf.xref(), item).and_then(access::dictionary) else {
            continue;
        };
        let stream = dict.get::<Stream<'_>>("DestOutputProfile");
        let profile = stream.as_ref().and_then(|stream| icc::profile(stream, source.meter));
        if let (Some(stream), None) = (&stream, &profile) {
            let detail = "The profile of an output intent cannot be read.";
            damages.note("profile_unreadable", detail, None, access::stream_ref(stream), false);
        }
        intents.push(OutputIntent {
            subtype: access::name(&dict, "S").unwrap_or_default(),
            condition_identifier: access::text(&dict, "OutputConditionIdentifier"),
            condition: access::text(&dict, "OutputCondition"),
            registry: access::text(&dict, "RegistryName"),
            info: access::text(&dict, "Info"),
            profile,
            profile_reference: dict.contains_key("DestOutputProfileRef"),
        });
    }
    intents
}
