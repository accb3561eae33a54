//! Tables that fit the terminal: numbers to the right, and what must give way is cut with an ellipsis.

use console::{Alignment, measure_text_width, pad_str, truncate_str};

/// Between two columns.
const GAP: usize = 2;
/// No column becomes narrower than this.
const LEAST: usize = 8;

/// A column of a table.
#[derive(Clone, Copy)]
pub struct Column {
    heading: &'static str,
    alignment: Alignment,
    flexible: bool,
}

impl Column {
    /// Words that must stay whole: ids, states, times.
    pub const fn whole(heading: &'static str) -> Self {
        Self { heading, alignment: Alignment::Left, flexible: false }
    }

    /// Words that may be cut in a narrow terminal: names, sentences.
    pub const fn words(heading: &'static str) -> Self {
        Self { heading, alignment: Alignment::Left, flexible: true }
    }

    /// Numbers.
    pub const fn number(heading: &'static str) -> Self {
        Self { heading, alignment: Alignment::Right, flexible: false }
    }
}

/// The table as text, a line each; `width` cuts the flexible columns, the widest first.
pub fn render(
    columns: &[Column],
    rows: &[Vec<String>],
    width: Option<usize>,
    heading: &dyn Fn(&str) -> String,
) -> String {
    let mut widths: Vec<usize> = columns.iter().map(|column| measure_text_width(column.heading)).collect();
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(measure_text_width(cell));
        }
    }
    if let Some(width) = width {
        fit(columns, &mut widths, width);
    }
    let line = |cells: &mut dyn Iterator<Item = String>| {
        let mut text = String::new();
        for ((cell, column), &width) in cells.zip(columns).zip(&widths) {
            let cut = truncate_str(&cell, width, "…");
            text.push_str(&pad_str(&cut, width, column.alignment, None));
            text.push_str(&" ".repeat(GAP));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    };
    let mut out = line(&mut columns.iter().map(|column| heading(column.heading)));
    rows.iter().for_each(|row| out.push_str(&line(&mut row.iter().cloned())));
    out
}

fn fit(columns: &[Column], widths: &mut [usize], width: usize) {
    let gaps = GAP * columns.len().saturating_sub(1);
    loop {
        if widths.iter().sum::<usize>() + gaps <= width {
            return;
        }
        let widest = (0..columns.len())
            .filter(|&index| columns[index].flexible && widths[index] > LEAST)
            .max_by_key(|&index| widths[index]);
        // What is left is ids and numbers: a line that wraps can be read, half an id cannot.
        let Some(widest) = widest else { return };
        widths[widest] -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [Column::whole("ID"), Column::words("NAME"), Column::number("UNITS")];

    fn rows() -> Vec<Vec<String>> {
        let row = |id: &str, name: &str, units: &str| vec![id.to_owned(), name.to_owned(), units.to_owned()];
        vec![row("bat_1", "Gin, the long-named one", "1,000"), row("bat_22", "東京", "7")]
    }

    #[test]
    fn render_aligns_by_what_is_seen() {
        let text = render(&COLUMNS, &rows(), None, &ToOwned::to_owned);
        assert_eq!(
            text,
            "ID      NAME                     UNITS\n\
             bat_1   Gin, the long-named one  1,000\n\
             bat_22  東京                         7\n"
        );
    }

    #[test]
    fn render_cuts_words_and_never_ids() {
        let text = render(&COLUMNS, &rows(), Some(30), &ToOwned::to_owned);
        assert!(text.lines().all(|line| measure_text_width(line) <= 30), "{text}");
        assert!(text.contains("bat_22") && text.contains("Gin, the long-…"), "{text}");
        let narrow = render(&COLUMNS, &rows(), Some(10), &ToOwned::to_owned);
        assert!(narrow.contains("bat_1 ") && narrow.contains("1,000"), "{narrow}");
    }

    #[test]
    fn render_measures_without_colours() {
        let green = console::Style::new().green().force_styling(true).apply_to("sealed").to_string();
        let rows = vec![vec!["a".to_owned(), green, "1".to_owned()]];
        let text = render(&COLUMNS, &rows, None, &ToOwned::to_owned);
        assert_eq!(console::strip_ansi_codes(&text), "ID  NAME    UNITS\na   sealed      1\n");
    }
}
