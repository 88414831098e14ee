//! The picture of our figures and those of others, drawn from the tables of BENCHMARKS.md.

const NAMES: u32 = 270;
const BAR: u32 = 360;
const WIDTH: u32 = NAMES + BAR + 90;
const ROW: u32 = 18;
const OURS: &str = "#1f5fa8";
const THEIRS: &str = "#aab2bb";

struct Bar {
    name: String,
    figure: f64,
    /// As the table prints it.
    text: String,
}

impl Bar {
    fn is_ours(&self) -> bool {
        self.name.starts_with("rust_messenger")
    }
}

/// The rows under the heading that begins with `### heading`, the quickest first. A row without a figure stays out, and
/// so do limits, which are nobody's product.
fn rows(page: &str, heading: &str) -> Vec<Bar> {
    let begin = format!("### {heading}, ");
    let table = page.split_once(&begin).unwrap_or_else(|| panic!("BENCHMARKS.md has no {begin}")).1;
    let table = table.split("\n### ").next().unwrap().split("<!--").next().unwrap();
    let mut rows: Vec<Bar> = Vec::new();
    for line in table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| |")) {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let name = cells[1].replace("**", "");
        let Ok(figure) = cells[2].parse() else { continue };
        if !name.starts_with('*') {
            rows.push(Bar { name, figure, text: cells[2].to_owned() });
        }
    }
    assert!(rows.iter().any(Bar::is_ours) && rows.len() > 3, "{heading}: {} rows", rows.len());
    rows.sort_by(|a, b| a.figure.total_cmp(&b.figure));
    rows
}

fn text(x: u32, y: u32, more: &str, text: &str) -> String {
    format!("<text x=\"{x}\" y=\"{y}\"{more}>{text}</text>\n")
}

/// Throughput, and round trips, of the tables in `page`.
pub fn draw(page: &str) -> String {
    let charts = [
        ("1w 1r 32 B pausing", "one writer, one reader, 32 B: ns per message"),
        ("round trip blocking call", "there and back, blocking call: ns, median"),
        ("two handlers on two threads", "two handlers that answer each other, two threads: ns there and back"),
    ];
    let (mut drawn, mut y) = (String::new(), 30);
    for (heading, title) in charts {
        drawn += &text(16, y, " font-weight=\"bold\"", title);
        y += 10;
        let rows = rows(page, heading);
        let slowest = rows.iter().map(|row| row.figure).fold(1.0, f64::max);
        for row in &rows {
            let color = if row.is_ours() { OURS } else { THEIRS };
            // A logarithm would flatter the slow ones; a bar too short to see is still one.
            let width = ((row.figure / slowest * f64::from(BAR)) as u32).max(2);
            drawn += &text(NAMES - 8, y + 13, " text-anchor=\"end\"", &row.name);
            drawn += &format!(
                "<rect x=\"{NAMES}\" y=\"{}\" width=\"{width}\" height=\"{}\" fill=\"{color}\"/>\n",
                y + 3,
                ROW - 5
            );
            drawn += &text(NAMES + width + 6, y + 13, "", &row.text);
            y += ROW;
        }
        y += 34;
    }
    let height = y - 20;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"monospace\" font-size=\"12\">\n\
         <title>Throughput and round trips against peers</title>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n{drawn}</svg>\n"
    )
}
