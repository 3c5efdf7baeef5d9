//! A table with aligned columns, of texts from outside.

use std::fmt;

use crate::logger::in_line;

/// Rows of `N` cells under a header.
pub struct Table<const N: usize> {
    rows: Vec<[String; N]>,
    widest: usize,
}

impl<const N: usize> Table<N> {
    /// Only the header. Of a cell, so many characters are shown: a long one would make all others of
    /// its column as long.
    pub fn new(header: [&str; N], widest: usize) -> Self {
        Self { rows: vec![header.map(str::to_owned)], widest }
    }

    /// One more row.
    pub fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| in_line(cell, self.widest)));
    }
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut widths = [0; N];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        for row in &self.rows {
            let line: Vec<String> =
                row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            writeln!(f, "{}", line.join("  ").trim_end())?;
        }
        Ok(())
    }
}
