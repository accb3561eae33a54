//! French. A space that does not break stands before a colon and a question mark.

use super::{Texts, Words};

pub(super) const TEXTS: Texts = Texts {
    genuine: Words {
        headline: "Authentique",
        lead: "{brand} a émis ce code pour ce produit.",
        advice: "Un code peut être copié\u{a0}: examinez aussi le produit et son emballage.",
    },
    first: Words {
        headline: "Authentique, premier scan",
        lead: "Ce code est scanné pour la première fois. Il est maintenant activé.",
        advice: "Quiconque le scanne désormais voit quand il a été activé.",
    },
    before: Words {
        headline: "Authentique, déjà activé",
        lead: "Ce code a été activé le {when}.",
        advice: "Si c’était vous, tout va bien. Si le produit est nouveau pour vous et que son sceau était intact, \
                 quelqu’un a peut-être copié le code\u{a0}: renseignez-vous auprès de {brand}.",
    },
    just: Words {
        headline: "Authentique, activé à l’instant",
        lead: "Ce code a été activé au cours des deux dernières minutes.",
        advice: "Si vous n’avez pas appuyé vous-même sur le bouton, quelqu’un d’autre l’a fait\u{a0}: renseignez-vous auprès de {brand}.",
    },
    awaiting: Words {
        headline: "Authentique, pas encore activé",
        lead: "{brand} a émis ce code pour ce produit, et personne ne l’a encore activé.",
        advice: "Activez-le quand le produit est à vous. Cela ne peut se faire qu’une fois, et quiconque scanne le code \
                 ensuite voit quand c’était.",
    },
    confirm: "Activer maintenant",
    recalled: Words {
        headline: "Rappelé",
        lead: "{brand} a rappelé ce produit le {when}.",
        advice: "Ne l’utilisez pas. Demandez à la marque, ou au magasin où il a été acheté, ce qu’il faut faire.",
    },
    recalled_at_some_time: "{brand} a rappelé ce produit.",
    unknown: Words {
        headline: "Non reconnu",
        lead: "Nous ne connaissons pas ce code.",
        advice: "S’il a été saisi à la main, comparez-le avec le code imprimé et réessayez. S’il a été scanné sur un \
                 produit, il peut s’agir d’une contrefaçon\u{a0}: renseignez-vous auprès de la marque avant de \
                 l’utiliser.",
    },
    unconfirmed: Words {
        headline: "Impossible à confirmer pour l’instant",
        lead: "Nous ne pouvons pas vérifier ce code en ce moment. Cela ne dit rien du produit.",
        advice: "Veuillez réessayer dans une minute.",
    },
    malformed: Words {
        headline: "Ce n’est pas un code",
        lead: "Ce qui a été scanné ou saisi n’est pas un code complet.",
        advice: "Scannez de nouveau le symbole, ou saisissez le code tel qu’il est imprimé\u{a0}: vingt caractères par \
                 groupes de quatre.",
    },
    malformed_gtin: "Le numéro d’article (GTIN) de cette adresse n’est pas valable.",
    welcome: Words {
        headline: "Est-ce authentique\u{a0}?",
        lead: "Scannez le code d’un produit, et cette adresse vous le dira.",
        advice: "Pour vérifier un code à la main, saisissez-le derrière cette adresse, après la barre oblique\u{a0}: \
                 vingt caractères par groupes de quatre.",
    },
    activated: "Première activation",
    place: "Pays de la première activation",
    code: "Code du produit",
    gtin: "Numéro d’article (GTIN)",
    picture: "Image du produit\u{a0}: {product}",
    footer: "Vérifié avec Mintmark. Votre adresse IP n’est pas conservée.",
    months: [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ],
};
