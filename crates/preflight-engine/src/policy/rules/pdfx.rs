//! Listed checks of PDF/X. They find what most often breaks; a file without a finding has not thereby been certified.

use super::{
    super::check::pdfx as check,
    Kind, Parameter,
    Reads::{Content, Document, File, Pages},
    Rule,
};

const STANDARD: &[Parameter] = &[Parameter {
    name: "standard",
    unit: "",
    meaning: "the standard whose rules for this apply",
    required: true,
    kind: Kind::OneOf(super::super::check::listed::standards),
}];

pub(in super::super) const RULES: &[Rule] = &[
    Rule::new(
        "X0001",
        "The file claims the standard",
        "Export the file as the standard that is asked for.",
        Document,
        check::claim,
    )
    .with(STANDARD),
    Rule::new(
        "X0002",
        "Version of PDF",
        "Save the file in the version of PDF that the standard is based on.",
        Document,
        check::version,
    )
    .with(STANDARD),
    Rule::new(
        "X0003",
        "Exactly one PDF/X output intent",
        "Name one printing condition as PDF/X output intent.",
        Document,
        check::one_intent,
    ),
    Rule::new(
        "X0004",
        "The output intent is complete",
        "Give the output intent an OutputConditionIdentifier and embed an output profile.",
        Document,
        check::intent_complete,
    )
    .with(STANDARD),
    Rule::new(
        "X0005",
        "Title, dates and identifiers",
        "Fill in title, creation date and modification date, in XMP also the identifiers of the document.",
        Document,
        check::metadata,
    )
    .with(STANDARD),
    Rule::new("X0006", "Trapped is known", "Set Trapped to True or False.", Document, check::trapped)
        .with(STANDARD),
    Rule::new(
        "X0007",
        "The trailer has an ID",
        "Save the file anew with a program that writes file identifiers.",
        Document,
        check::id,
    ),
    Rule::new(
        "X0008",
        "Page boxes",
        "Give each page a MediaBox and either a TrimBox or an ArtBox, with BleedBox between them.",
        Pages,
        check::boxes,
    ),
    Rule::new("X0009", "Fonts are embedded", "Embed the font.", Content, check::fonts),
    Rule::new("X0010", "No encryption", "Save the file without a password.", File, check::encryption),
    Rule::new(
        "X0011",
        "No JavaScript and no actions",
        "Remove JavaScript and actions.",
        Document,
        check::actions,
    ),
    Rule::new(
        "X0012",
        "No annotations or form fields on the product",
        "Flatten annotations and form fields, or move them outside the bleed.",
        Pages,
        check::annotations,
    ),
    Rule::new(
        "X0013",
        "Nothing that only a press may set",
        "Remove PostScript, OPI, transfer functions, named halftones, alternate images and references to other files.",
        Content,
        check::prepress,
    ),
    Rule::new(
        "X0014",
        "Filters",
        "Save the file with compression that the standard knows (Flate, JPEG).",
        Content,
        check::filters,
    ),
    Rule::new("X0015", "No transparency", "Flatten transparency.", Content, check::transparency),
    Rule::new(
        "X0016",
        "Colour spaces",
        "Convert colours to the output intent's, or tag them where the standard allows it.",
        Content,
        check::colours,
    )
    .with(STANDARD),
    Rule::new("X0017", "Layers", "Flatten layers, or remove automatic states.", Document, check::layers)
        .with(STANDARD),
];
