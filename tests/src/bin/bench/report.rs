//! The result as a table in Markdown, or as JSON.

use serde_json::{Value, json};

use crate::args::Part;
use crate::environment::Environment;
use crate::figure::Figure;

const HEAD: [&str; 3] = ["what", "figure (quartiles)", "mark"];

/// What was measured, by part.
pub type Figures = Vec<(Part, Vec<Figure>)>;

/// For people.
pub fn table(environment: &Environment, figures: &Figures) -> String {
    let rows = figures.iter().flat_map(|(_, figures)| figures).map(Figure::row);
    format!("{environment}\n\n{}", lines(rows.collect()))
}

/// For machines.
pub fn json(environment: &Environment, figures: &Figures) -> String {
    let of_part = |(part, figures): &(Part, Vec<Figure>)| {
        let part = &part.name();
        figures.iter().map(|figure| with_part(figure, part)).collect::<Vec<_>>()
    };
    let figures: Vec<Value> = figures.iter().flat_map(of_part).collect();
    let result = json!({"environment": environment.json(), "figures": figures});
    format!("{result:#}\n")
}

fn with_part(figure: &Figure, part: &str) -> Value {
    let mut figure = figure.json();
    figure["part"] = json!(part);
    figure
}

fn lines(rows: Vec<[String; 3]>) -> String {
    let rows: Vec<_> = [HEAD.map(String::from)].into_iter().chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths = [0, 1, 2].map(|column| width(column).unwrap_or(0));
    let mut lines: Vec<String> = rows.iter().map(|row| line(row, widths, ' ')).collect();
    lines.insert(1, line(&[const { String::new() }; 3], widths, '-'));
    lines.concat()
}

fn line(row: &[String; 3], widths: [usize; 3], fill: char) -> String {
    let pad = |text: &String, width: usize| {
        let rest = width - text.chars().count();
        format!("{text}{}", fill.to_string().repeat(rest))
    };
    let cells = [0, 1, 2].map(|column| pad(&row[column], widths[column]));
    format!("| {} |\n", cells.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::{Mark, Unit};
    use crate::stats::Spread;

    fn figures() -> Figures {
        let spread = Spread { low: 0.9, median: 0.95, high: 1.0 };
        let ratio = Figure::new("é", spread, Unit::Ratio).mark(Mark::AtLeast(0.92));
        vec![(Part::Probe, vec![ratio, Figure::new("b", Spread::exact(7.0), Unit::Bytes)])]
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = figures()[0].1.iter().map(Figure::row).collect();
        let expected = "\
| what | figure (quartiles)  | mark    |
| ---- | ------------------- | ------- |
| é    | 0.950 (0.900–1.000) | ≥ 0.920 |
| b    | 7 bytes             |         |
";
        assert_eq!(lines(rows), expected);
    }

    #[test]
    fn machines_get_the_same_figures() {
        let text = json(&Environment::default(), &figures());
        let result: Value = serde_json::from_str(&text).expect("JSON");
        let ratio = &result["figures"][0];
        assert_eq!(ratio["part"], "probe");
        assert_eq!(ratio["median"], 0.95);
        assert_eq!(ratio["upperQuartile"], 1.0);
        assert_eq!(ratio["mark"]["atLeast"], 0.92);
        assert_eq!(ratio["reached"], true);
        assert!(result["figures"][1]["mark"].is_null());
        assert!(result["environment"]["cores"].is_number());
    }
}
