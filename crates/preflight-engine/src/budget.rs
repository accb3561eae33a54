//! What reading one file may cost. A budget that runs out is a fact (`limits`), never a silent omission: no policy says
//! `pass` over a file that was not read to its end.

use std::cell::{Cell, RefCell};

use crate::facts::LimitHit;

/// Upper bounds for one file. The defaults suit print files of up to a thousand pages and stop bombs in a second or so.
#[derive(Debug, Clone)]
pub struct Budgets {
    /// Pages looked at.
    pub pages: u32,
    /// Bytes that one stream may inflate to.
    pub stream_bytes: u64,
    /// Bytes that all streams together may inflate to.
    pub total_bytes: u64,
    /// Bytes that the streams of the file's own structure (tables of objects, object streams) may inflate to.
    pub structure_bytes: u64,
    /// Operators of one page, forms included.
    pub page_operators: u64,
    /// Operators of the whole file.
    pub total_operators: u64,
    /// Forms, patterns and glyph procedures within one another.
    pub form_depth: u32,
    /// Executions of forms, patterns and glyph procedures on one page.
    pub form_executions: u64,
    /// Distinct elements kept of one page; more are counted, not described.
    pub page_elements: usize,
    /// The same of the whole file: so many are some 40 to 60 MB of JSON, and the program prints at most 64 MiB.
    pub total_elements: usize,
    /// Objects visited while walking trees (pages, outlines, name trees, resources).
    pub objects: u64,
    /// Depth of nested `q`.
    pub graphics_states: usize,
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            pages: 10_000,
            stream_bytes: 128 << 20,
            total_bytes: 2 << 30,
            structure_bytes: 256 << 20,
            page_operators: 20_000_000,
            total_operators: 200_000_000,
            form_depth: 28,
            form_executions: 200_000,
            page_elements: 4_000,
            total_elements: 120_000,
            objects: 2_000_000,
            graphics_states: 1_000,
        }
    }
}

/// The budgets with what has been spent. One for a file, handed down by reference.
#[derive(Debug)]
pub struct Meter {
    /// The bounds.
    pub budgets: Budgets,
    bytes: Cell<u64>,
    operators: Cell<u64>,
    objects: Cell<u64>,
    hits: RefCell<Vec<LimitHit>>,
}

impl Meter {
    /// Nothing spent yet.
    #[must_use]
    pub fn new(budgets: Budgets) -> Self {
        Self {
            budgets,
            bytes: Cell::new(0),
            operators: Cell::new(0),
            objects: Cell::new(0),
            hits: RefCell::new(Vec::new()),
        }
    }

    /// Notes that a budget ran out (each once for a page).
    pub fn hit(&self, budget: &str, limit: u64, page: Option<u32>) {
        let mut hits = self.hits.borrow_mut();
        if hits.len() < 1_000 && !hits.iter().any(|hit| hit.budget == budget && hit.page == page) {
            hits.push(LimitHit { budget: budget.to_owned(), limit, page });
        }
    }

    /// Spends bytes of inflated streams; `false` when they are used up.
    pub fn inflate(&self, bytes: u64, page: Option<u32>) -> bool {
        if bytes > self.budgets.stream_bytes {
            self.hit("stream_bytes", self.budgets.stream_bytes, page);
            return false;
        }
        self.bytes.set(self.bytes.get().saturating_add(bytes));
        let left = self.bytes.get() <= self.budgets.total_bytes;
        if !left {
            self.hit("total_bytes", self.budgets.total_bytes, page);
        }
        left
    }

    /// Bytes that may still be inflated by one more stream.
    #[must_use]
    pub fn bytes_left(&self) -> u64 {
        self.budgets.total_bytes.saturating_sub(self.bytes.get()).min(self.budgets.stream_bytes)
    }

    /// Spends one operator of the file; `false` when they are used up.
    pub fn operator(&self, page: Option<u32>) -> bool {
        self.operators.set(self.operators.get() + 1);
        let left = self.operators.get() <= self.budgets.total_operators;
        if !left {
            self.hit("total_operators", self.budgets.total_operators, page);
        }
        left
    }

    /// Spends one visited object; `false` when they are used up.
    pub fn object(&self) -> bool {
        self.objects.set(self.objects.get() + 1);
        let left = self.objects.get() <= self.budgets.objects;
        if !left {
            self.hit("objects", self.budgets.objects, None);
        }
        left
    }

    /// What ran out, in the order in which it did.
    #[must_use]
    pub fn hits(&self) -> Vec<LimitHit> {
        self.hits.borrow().clone()
    }
}
