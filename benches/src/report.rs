//! What a benchmark reports: figures beside their floors, as a table, as JSON and as a drawing.

use std::fmt::{self, Display, Formatter, Write as _};
use std::fs;
use std::io;
use std::path::Path;

use serde::Serialize;

/// The figures of a benchmark, of which less is better.
#[derive(Debug, Serialize)]
pub struct Report {
    name: &'static str,
    unit: &'static str,
    rows: Vec<Row>,
}

/// A figure, and its floor: what the same work costs at least, measured in turns with it.
#[derive(Debug, Serialize)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// The median.
    pub value: f64,
    /// The median of the floor.
    pub floor: f64,
    /// The median of the ratios of pairs that were measured one after the other.
    pub ratio: f64,
    /// The smallest and the largest of these ratios without the outer quarters.
    pub spread: [f64; 2],
}

impl Row {
    /// Summarizes pairs of a figure and its floor.
    ///
    /// # Panics
    ///
    /// If there are none.
    pub fn new(name: impl Into<String>, pairs: &[[f64; 2]]) -> Self {
        let sorted = |of: fn(&[f64; 2]) -> f64| {
            let mut figures: Vec<f64> = pairs.iter().map(of).collect();
            figures.sort_by(f64::total_cmp);
            figures
        };
        let ratios = sorted(|[value, floor]| value / floor);
        let middle = pairs.len() / 2;
        Row {
            name: name.into(),
            value: sorted(|[value, _]| *value)[middle],
            floor: sorted(|[_, floor]| *floor)[middle],
            ratio: ratios[middle],
            spread: [ratios[pairs.len() / 4], ratios[pairs.len() - 1 - pairs.len() / 4]],
        }
    }
}

impl Report {
    /// Creates a report without rows.
    pub fn new(name: &'static str, unit: &'static str) -> Self {
        Report { name, unit, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Prints the table, and writes `NAME.json` and `NAME.svg` to a folder.
    ///
    /// # Errors
    ///
    /// The files cannot be written.
    pub fn publish(&self, folder: &Path) -> io::Result<()> {
        print!("{self}");
        fs::create_dir_all(folder)?;
        fs::write(folder.join(format!("{}.json", self.name)), serde_json::to_string_pretty(self)?)?;
        let drawing = folder.join(format!("{}.svg", self.name));
        println!("drawn in {}", drawing.display());
        fs::write(drawing, self.svg())
    }

    fn svg(&self) -> String {
        const LINE: usize = 40;
        const LEFT: f64 = 280.0;
        const WIDTH: f64 = 420.0;
        let most = self.rows.iter().map(|row| row.value.max(row.floor)).fold(0.0, f64::max);
        let height = LINE * self.rows.len() + LINE;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 800 {height}\" \
             font-family=\"sans-serif\" font-size=\"13\">\n\
             <rect width=\"800\" height=\"{height}\" fill=\"#fff\"/>\n\
             <text x=\"8\" y=\"24\">{} in {}: measured (blue) above its floor (grey)</text>\n",
            self.name, self.unit
        );
        for (row, y) in self.rows.iter().zip((LINE..).step_by(LINE)) {
            let [value, floor] = [row.value, row.floor].map(|figure| figure / most * WIDTH);
            let _ = writeln!(
                svg,
                "<text x=\"8\" y=\"{}\">{}</text>\n\
                 <rect x=\"{LEFT}\" y=\"{y}\" width=\"{value:.1}\" height=\"13\" fill=\"#36c\"/>\n\
                 <rect x=\"{LEFT}\" y=\"{}\" width=\"{floor:.1}\" height=\"13\" fill=\"#aaa\"/>\n\
                 <text x=\"{:.1}\" y=\"{}\">{:.0} / {:.0} = {:.2}</text>",
                y + 18,
                row.name,
                y + 14,
                LEFT + value.max(floor) + 6.0,
                y + 18,
                row.value,
                row.floor,
                row.ratio
            );
        }
        svg + "</svg>\n"
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:32} {:>9} {:>9} {:>6}  spread", self.name, self.unit, "floor", "ratio")?;
        for Row { name, value, floor, ratio, spread: [low, high] } in &self.rows {
            writeln!(f, "{name:32} {value:>9.0} {floor:>9.0} {ratio:>6.2}  {low:.2}..{high:.2}")?;
        }
        Ok(())
    }
}
