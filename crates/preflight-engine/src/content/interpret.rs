//! The interpreter: one content stream after the other, operator by operator.

use std::rc::Rc;

use super::{
    Walker,
    extgstate::Mask,
    geometry::{Bounds, Matrix},
    lexer::{Item, Lexer, Operand},
    paths::Path,
    scope::{Layering, Scope},
    state::State,
    text::TextMatrices,
};
use crate::facts::ObjectRef;

/// Operands kept of one operator: 32 components and a name are the most that one has.
const MAX_OPERANDS: usize = 40;

/// Marked content within one another.
const MAX_MARKS: usize = 10_000;

/// One content stream being interpreted.
pub(super) struct Run<'a> {
    pub(super) scope: Scope<'a>,
    pub(super) state: State<'a>,
    saved: Vec<State<'a>>,
    /// `q` beyond the budget, which saved nothing.
    unsaved: usize,
    pub(super) path: Path,
    pub(super) clip_pending: bool,
    pub(super) text: TextMatrices,
    pub(super) text_clip: Bounds,
    layering: Layering,
    /// What to return to at each `EMC`.
    marks: Vec<Layering>,
    /// Within `BX` and `EX`, where unknown operators are no damage.
    compatible: u32,
    /// Colour operators are ignored.
    pub(super) uncoloured: bool,
    /// Operators so far, in this stream.
    operator: u64,
    /// Of the contents of a page: where each stream begins, and its object.
    starts: Vec<(usize, ObjectRef)>,
    part: usize,
    /// Operators before the current part.
    before_part: u64,
}

impl<'a> Run<'a> {
    fn new(scope: Scope<'a>, state: State<'a>, starts: &[(usize, ObjectRef)], unit: f64) -> Self {
        Self {
            layering: scope.layering,
            uncoloured: scope.uncoloured,
            scope,
            state,
            saved: Vec::new(),
            unsaved: 0,
            path: Path::new(unit),
            clip_pending: false,
            text: TextMatrices::START,
            text_clip: Bounds::EMPTY,
            marks: Vec::new(),
            compatible: 0,
            operator: 0,
            starts: starts.to_vec(),
            part: 0,
            before_part: 0,
        }
    }

    /// Optional content in force here.
    pub(super) const fn layering(&self) -> Layering {
        self.layering
    }

    /// Enters a layer for one object; returns what was in force.
    pub(super) fn enter_layer(&mut self, layering: Layering) -> Layering {
        std::mem::replace(&mut self.layering, layering)
    }

    /// Returns to what was in force.
    pub(super) fn leave_layer(&mut self, outer: Layering) {
        self.layering = outer;
    }

    /// The object of the content stream.
    pub(super) fn object(&self) -> Option<ObjectRef> {
        self.starts.get(self.part).map(|(_, object)| *object).or(self.scope.object)
    }

    /// Index of the current operator within its stream.
    pub(super) const fn operator(&self) -> u64 {
        self.operator - self.before_part
    }

    /// Goes on to the stream that a position of the joined contents lies in.
    fn locate(&mut self, position: usize) {
        while self.starts.get(self.part + 1).is_some_and(|(start, _)| *start <= position) {
            self.part += 1;
            self.before_part = self.operator;
        }
    }
}

/// The operands of one operator.
pub(super) struct Operands<'o, 'd>(pub(super) &'o [Operand<'d>]);

impl<'d> Operands<'_, 'd> {
    /// Exactly the last `N` operands as numbers; more are forgiven as readers do.
    pub(super) fn numbers<const N: usize>(&self) -> Option<[f64; N]> {
        let last = self.0.get(self.0.len().checked_sub(N)?..)?;
        let mut found = [0.0; N];
        for (slot, operand) in found.iter_mut().zip(last) {
            *slot = operand.number()?.clamp(-1e9, 1e9);
        }
        Some(found)
    }

    pub(super) fn number(&self) -> Option<f64> {
        self.numbers::<1>().map(|[number]| number)
    }

    pub(super) fn name(&self) -> Option<&'d [u8]> {
        self.0.last().and_then(|operand| operand.name())
    }

    pub(super) fn string(&self) -> Option<&'d [u8]> {
        match self.0.last() {
            Some(Operand::String(string)) => Some(string),
            _ => None,
        }
    }

    pub(super) fn array(&self) -> Option<&'d [u8]> {
        match self.0.last() {
            Some(Operand::Array(array)) => Some(array),
            _ => None,
        }
    }
}

impl<'a> Walker<'a, '_> {
    /// Interprets a content stream. `starts` says where the streams of a page's contents begin.
    pub(super) fn walk_stream(
        &mut self,
        data: &[u8],
        starts: &[(usize, ObjectRef)],
        scope: Scope<'a>,
        state: State<'a>,
    ) {
        let outer = std::mem::replace(&mut self.current, scope.object);
        let mut run = Run::new(scope, state, starts, self.sheet.unit);
        let mut lexer = Lexer::new(data);
        let mut operands: Vec<Operand<'_>> = Vec::with_capacity(8);
        while !self.stopped {
            match lexer.next() {
                None => break,
                Some(Item::Operand(operand)) if operands.len() < MAX_OPERANDS => operands.push(operand),
                Some(Item::Operand(_)) => {
                    self.broken("operands_excess", "An operator has too many operands.");
                }
                Some(Item::Broken) => {
                    self.broken("syntax", "The contents hold a bracket or string without its counterpart.");
                }
                Some(Item::Operator(operator)) => {
                    run.locate(lexer.position().saturating_sub(operator.len()));
                    if !self.spend() {
                        break;
                    }
                    if operator == b"BI" {
                        self.inline_image(&mut run, &mut lexer);
                    } else if self.operate(&mut run, operator, &Operands(&operands)).is_none() {
                        self.current = run.object();
                        self.broken(
                            "operand_error",
                            "An operator lacks operands, or has wrong ones, and was left out.",
                        );
                    }
                    run.operator += 1;
                    operands.clear();
                }
            }
        }
        self.close_run(&run);
        self.current = outer;
    }

    fn close_run(&mut self, run: &Run<'a>) {
        if self.stopped {
            return;
        }
        if !run.saved.is_empty() || run.unsaved > 0 {
            self.damage(
                "unbalanced_q",
                "The contents save a graphics state that they never restore.".to_owned(),
                true,
            );
        }
        if !run.marks.is_empty() {
            let detail = "The contents begin marked content that they never end.";
            self.damage("unbalanced_marked_content", detail.to_owned(), true);
        }
    }

    fn broken(&mut self, kind: &'static str, detail: &str) {
        self.damage(kind, format!("{detail} Export the file anew."), false);
    }

    /// Spends one operator; `false` when a budget ran out.
    fn spend(&mut self) -> bool {
        self.out.counts.operators += 1;
        let page = Some(self.sheet.number);
        if self.out.counts.operators > self.meter.budgets.page_operators {
            self.meter.hit("page_operators", self.meter.budgets.page_operators, page);
            self.stopped = true;
        } else if !self.meter.operator(page) {
            self.stopped = true;
        }
        !self.stopped
    }

    /// Executes one operator; `None` where its operands are wrong.
    fn operate(&mut self, run: &mut Run<'a>, operator: &[u8], operands: &Operands<'_, '_>) -> Option<()> {
        match operator {
            b"q" => self.save(run),
            b"Q" => self.restore(run),
            b"cm" => run.state.ctm = Matrix::new(operands.numbers()?).then(run.state.ctm)?,
            b"w" => run.state.line_width = operands.number()?.abs(),
            b"gs" => self.set_named_state(run, operands.name()?),
            // Ends, joins, dashes, tolerances and intents change no fact.
            b"J" | b"j" | b"M" | b"i" | b"d" | b"ri" => {}
            b"Do" => self.execute(run, operands.name()?),
            b"sh" => self.paint_shading(run, operands.name()?),
            b"BX" => run.compatible += 1,
            b"EX" => run.compatible = run.compatible.saturating_sub(1),
            b"MP" | b"DP" => {}
            b"BMC" | b"BDC" => self.begin_marked(run, operator, operands),
            b"EMC" => self.end_marked(run),
            b"d0" => {}
            b"d1" => run.uncoloured = true,
            _ => {
                return self
                    .path_operator(run, operator, operands)
                    .or_else(|| self.text_operator(run, operator, operands))
                    .or_else(|| self.colour_operator(run, operator, operands))
                    .unwrap_or_else(|| {
                        self.unknown_operator(run);
                        Some(())
                    });
            }
        }
        Some(())
    }

    fn unknown_operator(&mut self, run: &Run<'a>) {
        if run.compatible == 0 {
            self.current = run.object();
            self.broken("operator_unknown", "The contents hold an operator that PDF does not know.");
        }
    }

    fn save(&mut self, run: &mut Run<'a>) {
        let limit = self.meter.budgets.graphics_states;
        if run.saved.len() < limit {
            run.saved.push(run.state.clone());
        } else {
            self.meter.hit("graphics_states", limit as u64, Some(self.sheet.number));
            run.unsaved += 1;
        }
    }

    fn restore(&mut self, run: &mut Run<'a>) {
        if run.unsaved > 0 {
            run.unsaved -= 1;
        } else if let Some(state) = run.saved.pop() {
            run.state = state;
        } else {
            self.current = run.object();
            let detail = "The contents restore a graphics state that they did not save.";
            self.damage("unbalanced_q", detail.to_owned(), true);
        }
    }

    fn set_named_state(&mut self, run: &mut Run<'a>, name: &[u8]) {
        let res = Rc::clone(&run.scope.res);
        let Some(set) = self.named_state(&res, name) else { return };
        self.set_state(&mut run.state, &set);
        if let Some(Mask::Group(mask)) = &set.soft_mask {
            self.walk_soft_mask(run, mask);
        }
    }

    fn begin_marked(&mut self, run: &mut Run<'a>, operator: &[u8], operands: &Operands<'_, '_>) {
        if run.marks.len() >= MAX_MARKS {
            self.broken("unbalanced_marked_content", "Marked content is nested too deeply.");
            return;
        }
        let outer = run.layering;
        if let (b"BDC", [.., Operand::Name(b"OC"), Operand::Name(name)]) = (operator, operands.0) {
            let reference = run.scope.res.named.properties.get_ref(&*super::lexer::plain_name(name));
            if reference.is_none() {
                self.broken("resource_missing", "The contents name a layer that is not there.");
            }
            run.layering = self.layering(outer, reference);
        }
        run.marks.push(outer);
    }

    fn end_marked(&mut self, run: &mut Run<'a>) {
        match run.marks.pop() {
            Some(outer) => run.layering = outer,
            None => {
                let detail = "The contents end marked content that they did not begin.";
                self.damage("unbalanced_marked_content", detail.to_owned(), true);
            }
        }
    }
}
