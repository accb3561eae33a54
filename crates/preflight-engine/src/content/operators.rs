//! The operators that build and paint paths, show text, and set colours.

use std::rc::Rc;

use super::{
    Walker,
    geometry::{Bounds, Matrix},
    interpret::{Operands, Run},
    lexer::Operand,
    state::Colour,
    text::TextMatrices,
};
use crate::facts::Family;

/// What an operator gave: the outer `None` where it belongs to another family, the inner where its operands are wrong.
type Given = Option<Option<()>>;

impl<'a> Walker<'a, '_> {
    /// Path operators.
    pub(super) fn path_operator(
        &mut self,
        run: &mut Run<'a>,
        operator: &[u8],
        operands: &Operands<'_, '_>,
    ) -> Given {
        let (fill, stroke, close) = match operator {
            b"m" | b"l" | b"c" | b"v" | b"y" | b"re" => return Some(construct(run, operator, operands)),
            b"h" => {
                run.path.close();
                return Some(Some(()));
            }
            b"W" | b"W*" => {
                run.clip_pending = true;
                return Some(Some(()));
            }
            b"n" => {
                self.end_path(run);
                return Some(Some(()));
            }
            b"f" | b"F" | b"f*" => (true, false, false),
            b"S" => (false, true, false),
            b"s" => (false, true, true),
            b"B" | b"B*" => (true, true, false),
            b"b" | b"b*" => (true, true, true),
            _ => return None,
        };
        if close {
            run.path.close();
        }
        self.paint_path(run, fill, stroke);
        Some(Some(()))
    }

    /// Text operators.
    pub(super) fn text_operator(
        &mut self,
        run: &mut Run<'a>,
        operator: &[u8],
        operands: &Operands<'_, '_>,
    ) -> Given {
        let text = &mut run.state.text;
        Some(match operator {
            b"BT" => {
                run.text = TextMatrices::START;
                run.text_clip = Bounds::EMPTY;
                Some(())
            }
            b"ET" => {
                if !run.text_clip.is_empty() {
                    run.state.clip = run.state.clip.intersection(run.text_clip);
                    run.text_clip = Bounds::EMPTY;
                }
                Some(())
            }
            b"Tc" => operands.number().map(|space| text.character = space),
            b"Tw" => operands.number().map(|space| text.word = space),
            b"Tz" => operands.number().map(|percent| text.scale = percent / 100.0),
            b"TL" => operands.number().map(|leading| text.leading = leading),
            b"Ts" => operands.number().map(|rise| text.rise = rise),
            b"Tr" => operands.number().and_then(|mode| rendering_mode(mode).map(|mode| text.mode = mode)),
            b"Tf" => self.set_font(run, operands),
            b"Td" => operands.numbers().map(|[x, y]| run.text.next_line(x, y)),
            b"TD" => operands.numbers().map(|[x, y]| {
                text.leading = -y;
                run.text.next_line(x, y);
            }),
            b"Tm" => operands.numbers().map(|values| {
                let matrix = Matrix::new(values);
                run.text = TextMatrices { text: matrix, line: matrix };
            }),
            b"T*" => {
                let leading = text.leading;
                run.text.next_line(0.0, -leading);
                Some(())
            }
            b"Tj" => operands.string().map(|string| self.show_string(run, string)),
            b"TJ" => operands.array().map(|array| self.show_array(run, array)),
            b"'" | b"\"" => self.show_on_next_line(run, operator, operands),
            _ => return None,
        })
    }

    fn set_font(&mut self, run: &mut Run<'a>, operands: &Operands<'_, '_>) -> Option<()> {
        let [Operand::Name(name), Operand::Number(size)] =
            operands.0.get(operands.0.len().checked_sub(2)?..)?
        else {
            return None;
        };
        let res = Rc::clone(&run.scope.res);
        run.state.text.font = self.named_font(&res, name);
        run.state.text.size = size.clamp(-1e6, 1e6);
        Some(())
    }

    fn show_on_next_line(
        &mut self,
        run: &mut Run<'a>,
        operator: &[u8],
        operands: &Operands<'_, '_>,
    ) -> Option<()> {
        let string = operands.string()?;
        if operator == b"\"" {
            let [Operand::Number(word), Operand::Number(character), _] = operands.0 else { return None };
            run.state.text.word = *word;
            run.state.text.character = *character;
        }
        run.text.next_line(0.0, -run.state.text.leading);
        self.show_string(run, string);
        Some(())
    }

    /// Colour operators.
    pub(super) fn colour_operator(
        &mut self,
        run: &mut Run<'a>,
        operator: &[u8],
        operands: &Operands<'_, '_>,
    ) -> Given {
        let stroke = operator.first().is_some_and(u8::is_ascii_uppercase);
        let family = match operator {
            b"g" | b"G" => Family::DeviceGray,
            b"rg" | b"RG" => Family::DeviceRGB,
            b"k" | b"K" => Family::DeviceCMYK,
            b"cs" | b"CS" => return Some(self.set_space(run, stroke, operands)),
            b"sc" | b"SC" | b"scn" | b"SCN" => return Some(self.set_components(run, stroke, operands)),
            _ => return None,
        };
        let values: Option<Rc<[f64]>> = match family {
            Family::DeviceGray => operands.numbers::<1>().map(Rc::from),
            Family::DeviceRGB => operands.numbers::<3>().map(Rc::from),
            _ => operands.numbers::<4>().map(Rc::from),
        };
        Some(values.map(|values| {
            if !run.uncoloured {
                let space = Some(self.device(&run.scope.res, family));
                let values = values.iter().map(|value| value.clamp(0.0, 1.0)).collect();
                *colour(run, stroke) = Colour { space, values: Some(values), pattern: None };
            }
        }))
    }

    fn set_space(&mut self, run: &mut Run<'a>, stroke: bool, operands: &Operands<'_, '_>) -> Option<()> {
        let name = operands.name()?;
        if run.uncoloured {
            return Some(());
        }
        let res = Rc::clone(&run.scope.res);
        let space = self.named_space(&res, name);
        let values = space.and_then(|index| self.initial_colour(index));
        *colour(run, stroke) = Colour { space, values, pattern: None };
        Some(())
    }

    fn set_components(&mut self, run: &mut Run<'a>, stroke: bool, operands: &Operands<'_, '_>) -> Option<()> {
        if run.uncoloured {
            return Some(());
        }
        let res = Rc::clone(&run.scope.res);
        let pattern = match operands.0.last() {
            Some(Operand::Name(name)) => Some(self.named_pattern(&res, name)),
            _ => None,
        };
        let values: Vec<f64> = operands.0.iter().filter_map(|operand| operand.number()).collect();
        let current = colour(run, stroke);
        match pattern {
            Some(pattern) => {
                current.pattern = pattern;
                current.values = (!values.is_empty()).then(|| values.into());
            }
            None if values.is_empty() => return None,
            None => {
                current.pattern = None;
                current.values = Some(values.into());
            }
        }
        Some(())
    }

    /// The colour that setting a space sets.
    fn initial_colour(&self, index: usize) -> Option<Rc<[f64]>> {
        let space = self.tables.spaces.get(index)?;
        let components = usize::from(space.components);
        match space.family {
            Family::Separation | Family::DeviceN => Some(vec![1.0; components].into()),
            Family::DeviceCMYK => Some(Rc::from([0.0, 0.0, 0.0, 1.0])),
            Family::Pattern | Family::Unknown => None,
            _ => Some(vec![0.0; components].into()),
        }
    }
}

/// The fill or stroke colour of the state.
fn colour<'r, 'a>(run: &'r mut Run<'a>, stroke: bool) -> &'r mut Colour<'a> {
    if stroke { &mut run.state.stroke } else { &mut run.state.fill }
}

fn construct(run: &mut Run<'_>, operator: &[u8], operands: &Operands<'_, '_>) -> Option<()> {
    let ctm = run.state.ctm;
    let path = &mut run.path;
    let drawn = match operator {
        b"m" => {
            let [x, y] = operands.numbers()?;
            path.start(ctm, x, y);
            true
        }
        b"re" => {
            path.rectangle(ctm, operands.numbers()?);
            true
        }
        b"l" => {
            let [x, y] = operands.numbers()?;
            path.line(ctm, x, y)
        }
        b"c" => {
            let [x1, y1, x2, y2, x, y] = operands.numbers()?;
            path.curve(ctm, [(x1, y1), (x2, y2)], x, y)
        }
        b"v" => {
            let [x2, y2, x, y] = operands.numbers()?;
            let point = path.point();
            path.curve(ctm, [point, (x2, y2)], x, y)
        }
        _ => {
            let [x1, y1, x, y] = operands.numbers()?;
            path.curve(ctm, [(x1, y1), (x, y)], x, y)
        }
    };
    drawn.then_some(())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "compared with the modes before")]
fn rendering_mode(mode: f64) -> Option<u8> {
    (0.0..=7.0).contains(&mode).then_some(mode as u8)
}
