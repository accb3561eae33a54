//! German.

use super::{Texts, Words};

pub(super) const TEXTS: Texts = Texts {
    genuine: Words {
        headline: "Echt",
        lead: "{brand} hat diesen Code für dieses Produkt ausgestellt.",
        advice: "Ein Code lässt sich kopieren: Sehen Sie sich auch das Produkt und seine Verpackung an.",
    },
    first: Words {
        headline: "Echt, erster Scan",
        lead: "Dieser Code wird zum ersten Mal gescannt. Er ist jetzt aktiviert.",
        advice: "Wer ihn später scannt, sieht, wann das war.",
    },
    before: Words {
        headline: "Echt, bereits aktiviert",
        lead: "Dieser Code wurde am {when} aktiviert.",
        advice: "Waren Sie das selbst, ist alles in Ordnung. Ist das Produkt neu für Sie und war sein Siegel \
                 unversehrt, könnte jemand den Code kopiert haben: Fragen Sie bei {brand} nach.",
    },
    just: Words {
        headline: "Echt, gerade aktiviert",
        lead: "Dieser Code wurde in den letzten zwei Minuten aktiviert.",
        advice: "Haben Sie nicht selbst auf die Schaltfläche getippt, war es jemand anderes: Fragen Sie bei {brand} nach.",
    },
    awaiting: Words {
        headline: "Echt, noch nicht aktiviert",
        lead: "{brand} hat diesen Code für dieses Produkt ausgestellt, und bisher hat ihn niemand aktiviert.",
        advice: "Aktivieren Sie ihn, sobald das Produkt Ihnen gehört. Das geht nur einmal, und wer den Code später \
                 scannt, sieht, wann es war.",
    },
    confirm: "Jetzt aktivieren",
    recalled: Words {
        headline: "Zurückgerufen",
        lead: "{brand} hat dieses Produkt am {when} zurückgerufen.",
        advice: "Verwenden Sie es nicht. Fragen Sie die Marke oder das Geschäft, in dem es gekauft wurde, was zu tun \
                 ist.",
    },
    recalled_at_some_time: "{brand} hat dieses Produkt zurückgerufen.",
    unknown: Words {
        headline: "Nicht erkannt",
        lead: "Wir kennen diesen Code nicht.",
        advice: "Wurde er von Hand eingegeben, vergleichen Sie ihn mit dem Aufdruck und versuchen Sie es noch einmal. \
                 Wurde er von einem Produkt gescannt, kann es eine Fälschung sein: Fragen Sie bei der Marke nach, \
                 bevor Sie es verwenden.",
    },
    unconfirmed: Words {
        headline: "Zurzeit nicht prüfbar",
        lead: "Wir können diesen Code im Moment nicht prüfen. Über das Produkt sagt das nichts aus.",
        advice: "Bitte versuchen Sie es in einer Minute noch einmal.",
    },
    malformed: Words {
        headline: "Das ist kein Code",
        lead: "Was gescannt oder eingegeben wurde, ist kein vollständiger Code.",
        advice: "Scannen Sie das Symbol noch einmal, oder geben Sie den Code ein, wie er gedruckt ist: zwanzig Zeichen \
                 in Vierergruppen.",
    },
    malformed_gtin: "Die Artikelnummer (GTIN) in dieser Adresse ist ungültig.",
    welcome: Words {
        headline: "Ist es echt?",
        lead: "Scannen Sie den Code auf einem Produkt, und diese Adresse sagt es Ihnen.",
        advice: "Um einen Code von Hand zu prüfen, geben Sie ihn hinter dieser Adresse nach dem Schrägstrich ein: \
                 zwanzig Zeichen in Vierergruppen.",
    },
    activated: "Zuerst aktiviert",
    place: "Land der ersten Aktivierung",
    code: "Code auf dem Produkt",
    gtin: "Artikelnummer (GTIN)",
    picture: "Bild des Produkts: {product}",
    footer: "Geprüft mit Mintmark. Ihre IP-Adresse wird nicht gespeichert.",
    months: [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ],
};
