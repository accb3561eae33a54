//! Spanish.

use super::{Texts, Words};

pub(super) const TEXTS: Texts = Texts {
    genuine: Words {
        headline: "Auténtico",
        lead: "{brand} emitió este código para este producto.",
        advice: "Un código se puede copiar: fíjese también en el producto y en su envase.",
    },
    first: Words {
        headline: "Auténtico, primer escaneo",
        lead: "Es la primera vez que se escanea este código. Ya está activado.",
        advice: "Quien lo escanee a partir de ahora verá cuándo se activó.",
    },
    before: Words {
        headline: "Auténtico, ya activado",
        lead: "Este código se activó el {when}.",
        advice: "Si fue usted, todo está bien. Si el producto es nuevo para usted y el precinto estaba intacto, es \
                 posible que alguien haya copiado el código: consulte a {brand}.",
    },
    just: Words {
        headline: "Auténtico, recién activado",
        lead: "Este código se activó en los últimos dos minutos.",
        advice: "Si no pulsó usted el botón, lo hizo otra persona: consulte a {brand}.",
    },
    awaiting: Words {
        headline: "Auténtico, aún sin activar",
        lead: "{brand} emitió este código para este producto y nadie lo ha activado todavía.",
        advice: "Actívelo cuando el producto sea suyo. Solo se puede hacer una vez, y quien escanee el código después \
                 verá cuándo se activó.",
    },
    confirm: "Activar ahora",
    recalled: Words {
        headline: "Retirado del mercado",
        lead: "{brand} retiró este producto el {when}.",
        advice: "No lo utilice. Pregunte a la marca o a la tienda donde se compró qué debe hacer.",
    },
    recalled_at_some_time: "{brand} ha retirado este producto.",
    unknown: Words {
        headline: "No reconocido",
        lead: "No conocemos este código.",
        advice: "Si se escribió a mano, compárelo con el impreso e inténtelo de nuevo. Si se escaneó de un producto, \
                 este podría ser una falsificación: consulte a la marca antes de usarlo.",
    },
    unconfirmed: Words {
        headline: "No se puede confirmar ahora",
        lead: "En este momento no podemos comprobar este código. Eso no dice nada sobre el producto.",
        advice: "Vuelva a intentarlo dentro de un minuto.",
    },
    malformed: Words {
        headline: "Esto no es un código",
        lead: "Lo que se ha escaneado o escrito no es un código completo.",
        advice: "Escanee el símbolo otra vez o escriba el código tal como está impreso: veinte caracteres en grupos de \
                 cuatro.",
    },
    malformed_gtin: "El número de artículo (GTIN) de esta dirección no es válido.",
    welcome: Words {
        headline: "¿Es auténtico?",
        lead: "Escanee el código de un producto y esta dirección se lo dirá.",
        advice: "Para comprobar un código a mano, escríbalo detrás de esta dirección, después de la barra: veinte \
                 caracteres en grupos de cuatro.",
    },
    activated: "Primera activación",
    place: "País de la primera activación",
    code: "Código",
    gtin: "Número de artículo (GTIN)",
    picture: "Imagen del producto: {product}",
    footer: "Comprobado con Mintmark. No se guarda su dirección IP.",
    months: [
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ],
};
