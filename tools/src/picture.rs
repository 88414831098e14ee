//! Lines of text as an SVG picture of a terminal.

use crate::output::Ink;
use crate::ring::Cell;
use crate::svg::escape;

/// The width of a letter and the height of a line.
const LETTER: f64 = 7.8;
const LINE: usize = 18;
/// Around the text.
const PAD: usize = 14;

/// The picture of `lines`, under `title`.
pub fn draw(title: &str, lines: &[Vec<Cell>]) -> String {
    let letters = |line: &Vec<Cell>| line.iter().map(|cell| cell.text.chars().count()).sum::<usize>();
    let columns = lines.iter().map(letters).max().unwrap_or(0).max(title.chars().count());
    let width = (columns as f64 * LETTER).ceil() as usize + 2 * PAD;
    let height = (lines.len() + 1) * LINE + 2 * PAD;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"monospace\" font-size=\"13\">\n<title>{0}</title>\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"#1b1f24\"/>\n",
        escape(title)
    );
    let title = Cell { text: title.to_owned(), ink: Some(Ink::Faint) };
    for (row, line) in std::iter::once(&vec![title]).chain(lines).enumerate() {
        let mut column = 0;
        for Cell { text: part, ink } in line {
            let letters = part.chars().count();
            let indent = letters - part.trim_start().chars().count();
            let seen = part.trim();
            if !seen.is_empty() {
                let x = PAD as f64 + (column + indent) as f64 * LETTER;
                let length = seen.chars().count() as f64 * LETTER;
                // As wide as it is meant to be, whatever font there is.
                text += &format!(
                    "<text x=\"{x:.1}\" y=\"{}\" textLength=\"{length:.1}\" lengthAdjust=\"spacingAndGlyphs\" \
                     xml:space=\"preserve\" {}>{}</text>\n",
                    PAD + (row + 1) * LINE - 5,
                    style(*ink),
                    escape(seen)
                );
            }
            column += letters;
        }
    }
    text + "</svg>\n"
}

fn style(ink: Option<Ink>) -> &'static str {
    match ink {
        None => "fill=\"#d7dde4\"",
        Some(Ink::Faint) => "fill=\"#8b949e\"",
        Some(Ink::Strong) => "fill=\"#ffffff\" font-weight=\"bold\"",
        Some(Ink::Notice) => "fill=\"#e3b341\"",
        Some(Ink::Alarm) => "fill=\"#ff7b72\"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_stands_where_it_stands_on_a_terminal() {
        let lines = [
            vec![Cell { text: "  <b>".to_owned(), ink: Some(Ink::Alarm) }, Cell { text: " x ".to_owned(), ink: None }],
            Vec::new(),
        ];
        let picture = draw("$ rmsg", &lines);
        assert!(picture.contains(r#"<text x="29.6" y="45" textLength="23.4""#), "{picture}");
        assert!(picture.contains("fill=\"#ff7b72\">&lt;b&gt;</text>"), "{picture}");
        // Behind five letters and a blank.
        assert!(picture.contains(r#"<text x="60.8" y="45" textLength="7.8""#), "{picture}");
        assert_eq!(picture.matches("<text").count(), 3, "nothing for what is blank: {picture}");
        assert!(picture.starts_with("<svg") && picture.ends_with("</svg>\n") && picture.contains("height=\"82\""));
    }
}
