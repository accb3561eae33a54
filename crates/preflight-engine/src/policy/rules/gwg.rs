//! The 39 rules of GWG 2022.

use super::{
    super::{
        check::{binding, document, images, listed, pages, small, spots, steps},
        gwg,
    },
    Judge, Kind, Parameter,
    Reads::{Content, Document, Pages},
    Rule,
};

const PT: &[Parameter] =
    &[Parameter::number("pt", "pt", "the size or width from which on it is allowed", 1_000.0)];

const PPI: &[Parameter] = &[
    Parameter::number("error_ppi", "ppi", "at or below this it is an error", 100_000.0).optional(),
    Parameter::number("warning_ppi", "ppi", "at or below this it is a warning", 100_000.0).optional(),
];

const INK: &[Parameter] = &[
    Parameter::number("percent", "%", "the largest mean sum of inks", 10_000.0),
    Parameter::number("square_mm", "mm", "the side of the square over which it is taken", 1_000.0),
];

/// What R0025 and R0026 answer until the engine renders.
const NO_INK: &str = "Ink that is rendered is not computed by this version.";

const fn ink(id: &'static str, title: &'static str) -> Rule {
    Rule {
        id,
        title,
        mend: "Reduce the amount of ink in the dark parts, for example by gray component replacement.",
        parameters: INK,
        reads: Content,
        judge: Judge::NotYet(NO_INK),
    }
}

pub(super) const RULES: &[Rule] = &[
    Rule::new(
        "R0001",
        "Base standard (listed checks of PDF/X-4)",
        "Export the file as PDF/X-4.",
        Content,
        listed::base_standard,
    ),
    Rule::new(
        "R0002",
        "No UserUnit",
        "Make the page at its true size or agree on a scale instead of setting UserUnit.",
        Pages,
        pages::user_unit,
    ),
    Rule::new(
        "R0003",
        "CropBox equals MediaBox",
        "Remove the CropBox or make it equal to the MediaBox.",
        Pages,
        pages::crop_is_media,
    ),
    Rule::new(
        "R0004",
        "One trim size, no rotation",
        "Give all pages one TrimBox size, and turn their content instead of setting Rotate.",
        Pages,
        pages::one_size,
    ),
    Rule::new("R0005", "No empty page", "Remove the empty page or fill it.", Content, pages::not_empty),
    Rule::new("R0006", "Exactly one page", "Deliver each page as a file of its own.", Pages, pages::one_page),
    Rule::new(
        "R0007",
        "White text does not overprint",
        "Switch off overprint for the white text: it would vanish in print.",
        Content,
        small::white_text_overprint,
    ),
    Rule::new(
        "R0008",
        "White paths do not overprint",
        "Switch off overprint for the white object: it would vanish in print.",
        Content,
        small::white_path_overprint,
    ),
    Rule::new(
        "R0009",
        "Small black text overprints",
        "Let the small black text overprint, in DeviceCMYK with overprint mode 1.",
        Content,
        small::black_text_knocks_out,
    )
    .with(PT),
    Rule::new(
        "R0010",
        "Thin black lines overprint",
        "Let the thin black line overprint, in DeviceCMYK with overprint mode 1.",
        Content,
        small::black_line_knocks_out,
    )
    .with(PT),
    Rule::new(
        "R0011",
        "Small text is not DeviceGray",
        "Colour the small text in the black of CMYK instead of DeviceGray.",
        Content,
        small::gray_text,
    )
    .with(PT),
    Rule::new(
        "R0012",
        "Thin lines are not DeviceGray",
        "Colour the thin line in the black of CMYK instead of DeviceGray.",
        Content,
        small::gray_line,
    )
    .with(PT),
    Rule::new(
        "R0013",
        "DeviceGray does not overprint",
        "Switch off overprint for the gray object, or colour it in the black of CMYK.",
        Content,
        small::gray_overprint,
    ),
    Rule::new(
        "R0014",
        "No font Courier",
        "Put back the font that Courier stands for: it is the usual substitute of a missing one.",
        Content,
        small::courier,
    ),
    Rule::new(
        "R0015",
        "No text in four-colour black",
        "Colour the text in black alone, or with less of the other inks.",
        Content,
        small::rich_black,
    )
    .with(&[
        Parameter::number("black", "", "the amount of black from which on the sum counts, 1 is 100 %", 1.0),
        Parameter::number("sum", "", "the largest sum of the process inks, 2.8 is 280 %", 4.0),
    ]),
    Rule::new("R0016", "White text is large enough", "Set the white text larger: it fills in.", Content, small::white_text)
        .with(PT),
    Rule::new(
        "R0017",
        "Text in several inks is large enough",
        "Set the text larger or in one ink: its edges blur when the inks do not meet exactly.",
        Content,
        small::multi_text,
    )
    .with(PT),
    Rule::new("R0018", "White lines are wide enough", "Draw the white line wider: it fills in.", Content, small::white_line)
        .with(PT),
    Rule::new(
        "R0019",
        "Lines in several inks are wide enough",
        "Draw the line wider or in one ink: its edges blur when the inks do not meet exactly.",
        Content,
        small::multi_line,
    )
    .with(PT),
    Rule::new(
        "R0020",
        "Number of spot colours",
        "Convert spot colours that are not to be printed as such to process colours.",
        Content,
        spots::number,
    )
    .with(&[Parameter {
        name: "at_most",
        unit: "",
        meaning: "how many different spot names are allowed",
        required: true,
        kind: Kind::Whole { most: 1_000 },
    }]),
    Rule::new(
        "R0021",
        "Spot names that differ in their suffix",
        "Use one name for the spot colour throughout.",
        Content,
        spots::suffixes,
    ),
    Rule::new(
        "R0022",
        "Spot names that differ in case or normalisation",
        "Use one spelling of the spot colour's name throughout.",
        Content,
        spots::spellings,
    ),
    Rule::new(
        "R0023",
        "Spots of different names and equal appearance",
        "Use one name for the spot colour, or give the two colours the alternates that they have.",
        Content,
        spots::twins,
    ),
    Rule::new(
        "R0024",
        "No colorant All",
        "Colour the object in the inks that it is meant for: All prints on every plate.",
        Content,
        spots::all,
    ),
    ink("R0025", "Mean ink of all separations"),
    ink("R0026", "Mean ink of C, M, Y and K"),
    Rule::new(
        "R0027",
        "Early binding: no RGB, ICC or calibrated colour",
        "Convert the colours to the CMYK of the output intent.",
        Content,
        binding::early,
    ),
    Rule::new(
        "R0028",
        "Intermediate binding: calibrated RGB for images alone",
        "Tag RGB images with an ICC profile and convert everything else to CMYK.",
        Content,
        binding::intermediate,
    ),
    Rule::new(
        "R0029",
        "Late binding: no device RGB or calibrated gray",
        "Tag RGB colours with an ICC profile, and convert gray ones to DeviceGray or CMYK.",
        Content,
        binding::late,
    ),
    Rule::new(
        "R0030",
        "Transparency is blended in DeviceCMYK",
        "Set the blending space of the transparency group to DeviceCMYK.",
        Content,
        pages::blending,
    ),
    Rule::new(
        "R0031",
        "Resolution of contone images",
        "Put in an image with more pixels, or make it smaller on the page.",
        Content,
        images::contone,
    )
    .with(PPI),
    Rule::new(
        "R0032",
        "Resolution of 1-bit images",
        "Put in an image with more pixels, or make it smaller on the page.",
        Content,
        images::one_bit,
    )
    .with(PPI),
    Rule::new(
        "R0033",
        "Resolution of a page that is one image",
        "Deliver the page with its text and lines as such, or the image with more pixels.",
        Content,
        images::whole_page,
    )
    .with(PPI),
    Rule::new(
        "R0034",
        "No alternate layer configurations",
        "Remove the alternate configurations (Configs) of the layers.",
        Document,
        document::no_configs,
    ),
    Rule::new(
        "R0035",
        "The output intent is CMYK",
        "Name a CMYK printing condition as output intent and embed its profile.",
        Document,
        document::cmyk_intent,
    ),
    Rule::new("R0036", "All layers are on", "Switch all layers on, or remove those that are off.", Document, document::layers_on),
    Rule::new(
        "R0037",
        "Scaling factor and viewing distance",
        "State scaling factor and viewing distance with the job.",
        Pages,
        document::scaling,
    ),
    Rule::new(
        "R1001",
        "Processing steps of the product type",
        "Put each processing step on a layer with its ISO 19593-1 metadata, and only those that the product type allows.",
        Document,
        steps::by_product,
    )
    .with(&[Parameter {
        name: "product_type",
        unit: "",
        meaning: "the product type, where the policy is for one",
        required: false,
        kind: Kind::OneOf(gwg::product_types),
    }]),
    Rule::new(
        "R1002",
        "A creasing step",
        "Put the creases on a layer with the processing step Structural/Creasing or Structural/ReverseCreasing.",
        Document,
        steps::creasing,
    ),
];
