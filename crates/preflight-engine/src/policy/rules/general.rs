//! Rules of what a job states of its product, and of any document.

use super::{
    super::check::{document, listed, product},
    Kind, Parameter,
    Reads::{Content, File, Pages},
    Rule,
};

pub(super) const RULES: &[Rule] = &[
    Rule::new(
        "P0001",
        "Trim size",
        "Set the TrimBox to the size of the product, or order the size of the file.",
        Pages,
        product::trim_size,
    )
    .with(&[
        Parameter::number("width_mm", "mm", "width, else the job's", 100_000.0).optional(),
        Parameter::number("height_mm", "mm", "height, else the job's", 100_000.0).optional(),
        Parameter::number("tolerance_mm", "mm", "difference that is allowed, else 0.1", 100.0).optional(),
    ]),
    Rule::new("P0002", "Bleed", "Extend the pages by the bleed and set the BleedBox.", Pages, product::bleed)
        .with(&[
            Parameter::number("at_least_mm", "mm", "bleed on every side, else the job's", 1_000.0).optional()
        ]),
    Rule::new(
        "P0003",
        "Number of pages",
        "Deliver the number of pages that the product has.",
        Pages,
        product::page_count,
    )
    .with(&[Parameter {
        name: "pages",
        unit: "",
        meaning: "the number, else the job's",
        required: false,
        kind: Kind::Whole { most: 1_000_000 },
    }]),
    Rule::new(
        "P0004",
        "What reaches the trim reaches the bleed",
        "Extend what touches the edge of the trim as far as the bleed reaches.",
        Content,
        product::bleed_filled,
    ),
    Rule::new("D0001", "The file opens", "Export the file again from its source.", File, document::opens),
    Rule::new(
        "D0002",
        "The file is sound",
        "Export the file again from its source: other readers may mend the damage in another way.",
        File,
        document::sound,
    ),
    Rule::new(
        "D0003",
        "The file is the PDF/X that it claims to be (listed checks)",
        "Export the file again as the standard that it names.",
        Content,
        listed::as_claimed,
    ),
    Rule::new(
        "D0004",
        "No JavaScript",
        "Remove the JavaScript.",
        super::Reads::Document,
        document::javascript,
    ),
    Rule::new(
        "D0005",
        "No embedded files",
        "Remove the attached files.",
        super::Reads::Document,
        document::embedded,
    ),
];
