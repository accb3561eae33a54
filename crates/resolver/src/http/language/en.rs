//! English.

use super::{Texts, Words};

pub(super) const TEXTS: Texts = Texts {
    genuine: Words {
        headline: "Genuine",
        lead: "{brand} issued this code for this product.",
        advice: "A code can be copied: look at the product and its packaging too.",
    },
    first: Words {
        headline: "Genuine, first scan",
        lead: "You are the first to scan this code. It is now activated.",
        advice: "Whoever scans it from now on sees when that was.",
    },
    before: Words {
        headline: "Genuine, already activated",
        lead: "This code was activated on {when}.",
        advice: "If that was you, all is well. If the product is new to you and its seal was intact, somebody may have \
                 copied the code: ask {brand}.",
    },
    just: Words {
        headline: "Genuine, activated just now",
        lead: "This code was activated within the last two minutes.",
        advice: "If you did not press the button yourself, somebody else did: ask {brand}.",
    },
    awaiting: Words {
        headline: "Genuine, not yet activated",
        lead: "{brand} issued this code for this product, and nobody has activated it so far.",
        advice: "Activate it once the product is yours. It can be done only once, and whoever scans the code later sees \
                 when it was.",
    },
    confirm: "Activate now",
    recalled: Words {
        headline: "Recalled",
        lead: "{brand} recalled this product on {when}.",
        advice: "Do not use it. Ask the brand, or the shop where it was bought, what to do.",
    },
    recalled_at_some_time: "{brand} has recalled this product.",
    unknown: Words {
        headline: "Not recognised",
        lead: "We do not know this code.",
        advice: "If it was typed by hand, compare it with the print and try again. If it was scanned from a product, \
                 the product may be a counterfeit: ask the brand before using it.",
    },
    unconfirmed: Words {
        headline: "Cannot be confirmed now",
        lead: "We cannot check this code at the moment. That says nothing about the product.",
        advice: "Please try again in a minute.",
    },
    malformed: Words {
        headline: "This is not a code",
        lead: "What was scanned or typed is not a complete code.",
        advice: "Scan the symbol again, or type the code as it is printed: twenty characters in groups of four.",
    },
    malformed_gtin: "The article number (GTIN) in this address is not valid.",
    welcome: Words {
        headline: "Is it genuine?",
        lead: "Scan the code on a product, and this address tells you.",
        advice: "To check a code by hand, type it behind this address, after the slash: twenty characters in groups of \
                 four.",
    },
    activated: "First activated",
    place: "Country of the first activation",
    code: "Code",
    gtin: "Article number (GTIN)",
    picture: "Picture of the product: {product}",
    footer: "Checked with Mintmark. Your address is not kept.",
    months: [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
};
