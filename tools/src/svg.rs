//! A routing table as an SVG picture, with a layout of its own: no program is needed to draw it, and the same table
//! always gives the same bytes.
//!
//! A column for each worker, in the order of the table, behind one for sources that are no handlers. A **net** is one
//! message from one source. It leaves its source to the right, under its name, and takes a track in the gap behind the
//! column. From there it goes into the next column, or down to a lane below all columns and up again before the column
//! that it is for.
//!
//! ```text
//!            label  tracks
//!  | source |------+-------->| next column |
//!                  |    +--->| any other   |
//!                  +----+  lane
//! ```
//!
//! Tracks and lanes belong to one net each, and lines go in at other heights than they come out. So lines may cross,
//! and never lie upon each other; and no label lies on a line or on another label.

use rust_messenger::routing::{Table, TableRoute};

/// Half of the distance between two lines that come out of a handler.
const HALF: usize = 9;
/// All heights are multiples of it, so that what goes in never meets what comes out.
const ROW: usize = 2 * HALF;
/// Between two tracks, and between two lanes.
const TRACK: usize = 10;
/// Around what is in a box.
const PAD: usize = 12;
/// For arrow heads.
const HEAD: usize = 26;
/// Lines of different colours are easier to follow where they cross.
const COLORS: [&str; 6] = ["#1f5fa8", "#b3541e", "#2e7d32", "#8e24aa", "#00707a", "#a1284f"];

/// The picture of `table`.
pub fn draw(table: &Table<'_>) -> String {
    let layout = Layout::of(table);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" \
         font-family=\"monospace\" font-size=\"12\">\n<title>{2}</title>\n\
         <style>.net:hover {{ stroke-width: 3 }}</style>\n\
         <rect width=\"{0}\" height=\"{1}\" fill=\"#ffffff\"/>\n",
        layout.width,
        layout.height,
        escape(table.name)
    );
    for (place, color) in COLORS.iter().enumerate() {
        text += &format!(
            "<marker id=\"head{place}\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" \
             markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"{color}\"/></marker>\n"
        );
    }
    for Square { x, y, width, height, label, is_worker } in &layout.squares {
        let (fill, stroke, weight) =
            if *is_worker { ("#f3f5f7", "#aab2bb", "bold") } else { ("#ffffff", "#333b44", "normal") };
        text += &format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"4\" fill=\"{fill}\" \
             stroke=\"{stroke}\"/>\n<text x=\"{}\" y=\"{}\" font-weight=\"{weight}\">{}</text>\n",
            x + PAD,
            y + ROW,
            escape(label)
        );
    }
    // A net is a group, so that all of it stands out when one points at it, and says what it is.
    for (net, name) in layout.nets.iter().enumerate() {
        let color = net % COLORS.len();
        text += &format!("<g class=\"net\" fill=\"none\" stroke=\"{}\"><title>{}</title>", COLORS[color], escape(name));
        for Line { from, to, is_last, .. } in layout.lines.iter().filter(|line| line.net == net) {
            let head = if *is_last { format!(" marker-end=\"url(#head{color})\"") } else { String::new() };
            text += &format!("\n<path d=\"M{} {}L{} {}\"{head}/>", from.0, from.1, to.0, to.1);
        }
        text += "</g>\n";
    }
    for (net, (x, y)) in &layout.dots {
        text += &format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"2.5\" fill=\"{}\"/>\n", COLORS[net % COLORS.len()]);
    }
    for (net, (x, y), label) in &layout.labels {
        let color = COLORS[net % COLORS.len()];
        text += &format!("<text x=\"{x}\" y=\"{y}\" fill=\"{color}\">{}</text>\n", escape(label));
    }
    text + "</svg>\n"
}

type Point = (usize, usize);

/// A box with a label.
#[derive(Debug)]
struct Square {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
    label: String,
    is_worker: bool,
}

/// A straight line of a net.
#[derive(Debug)]
struct Line {
    net: usize,
    from: Point,
    to: Point,
    /// Ends in a handler.
    is_last: bool,
}

/// Where everything is.
#[derive(Debug, Default)]
struct Layout {
    width: usize,
    height: usize,
    squares: Vec<Square>,
    /// Source and message of each net.
    nets: Vec<String>,
    lines: Vec<Line>,
    dots: Vec<(usize, Point)>,
    labels: Vec<(usize, Point, String)>,
}

/// A handler, or another source.
#[derive(Debug)]
struct Node<'a> {
    column: usize,
    /// Its name in the table; empty for a source that is no handler.
    name: &'a str,
    id: u16,
    label: String,
    y: usize,
    /// Nets that go in, and that come out.
    ins: Vec<usize>,
    outs: Vec<usize>,
}

#[derive(Debug)]
struct Net<'a> {
    from: usize,
    message: &'a str,
    message_id: u16,
    to: Vec<usize>,
}

/// What is to be drawn, without its places.
#[derive(Debug, Default)]
struct Plan<'a> {
    /// The names of workers; none for the column of other sources.
    columns: Vec<Option<&'a str>>,
    nodes: Vec<Node<'a>>,
    nets: Vec<Net<'a>>,
}

impl<'a> Plan<'a> {
    fn of(table: &Table<'a>) -> Plan<'a> {
        let mut plan = Plan::default();
        let is_handler = |id| table.workers.iter().any(|worker| worker.handlers.iter().any(|handler| handler.id == id));
        let routes = || table.workers.iter().flat_map(|worker| worker.routes);
        if routes().any(|route| !is_handler(route.source_id)) {
            plan.columns.push(None);
        }
        for TableRoute { source, source_id, .. } in routes().filter(|route| !is_handler(route.source_id)) {
            if !plan.nodes.iter().any(|node| node.id == *source_id) {
                plan.add("", *source_id, (*source).to_owned());
            }
        }
        for worker in table.workers {
            plan.columns.push(Some(worker.name));
            for handler in worker.handlers {
                plan.add(handler.name, handler.id, format!("{}: {}", handler.name, handler.type_name));
            }
        }
        let first = plan.columns.len() - table.workers.len();
        for (place, worker) in table.workers.iter().enumerate() {
            for route in worker.routes {
                let is_sender = |node: &Node| node.id == route.source_id;
                let senders: Vec<usize> = (0..plan.nodes.len()).filter(|&node| is_sender(&plan.nodes[node])).collect();
                for from in senders {
                    for receiver in route.receivers {
                        let is_receiver = |node: &Node| node.column == first + place && node.name == *receiver;
                        if let Some(to) = plan.nodes.iter().position(is_receiver) {
                            plan.connect(from, route, to);
                        }
                    }
                }
            }
        }
        plan
    }

    fn add(&mut self, name: &'a str, id: u16, label: String) {
        let column = self.columns.len() - 1;
        self.nodes.push(Node { column, name, id, label, y: 0, ins: Vec::new(), outs: Vec::new() });
    }

    fn connect(&mut self, from: usize, route: &TableRoute<'a>, to: usize) {
        let is_it = |net: &Net| net.from == from && net.message_id == route.message_id;
        let net = self.nets.iter().position(is_it).unwrap_or_else(|| {
            let (message, message_id) = (route.message, route.message_id);
            self.nets.push(Net { from, message, message_id, to: Vec::new() });
            self.nodes[from].outs.push(self.nets.len() - 1);
            self.nets.len() - 1
        });
        if !self.nets[net].to.contains(&to) {
            self.nets[net].to.push(to);
            self.nodes[to].ins.push(net);
        }
    }

    /// The gap behind a net's source: gap `n` is before column `n`.
    fn home(&self, net: usize) -> usize {
        self.nodes[self.nets[net].from].column + 1
    }

    /// Receivers of a net that are reached from a gap.
    fn reached(&self, net: usize, gap: usize) -> Vec<usize> {
        self.nets[net].to.iter().copied().filter(|&to| self.nodes[to].column == gap).collect()
    }

    /// Nets with a track in a gap.
    fn tracks(&self, gap: usize) -> Vec<usize> {
        let has = |net: &usize| self.home(*net) == gap || !self.reached(*net, gap).is_empty();
        (0..self.nets.len()).filter(has).collect()
    }

    /// Nets with a lane below all columns.
    fn lanes(&self) -> Vec<usize> {
        let has = |net: &usize| self.nets[*net].to.iter().any(|&to| self.nodes[to].column != self.home(*net));
        (0..self.nets.len()).filter(has).collect()
    }
}

/// The heights of rows and lanes, and from left to right columns and tracks.
#[derive(Debug, Default)]
struct Grid {
    width: usize,
    height: usize,
    /// Below all columns.
    bottom: usize,
    /// Where columns begin, and how wide they are.
    columns: Vec<(usize, usize)>,
    /// By the gap: which net is where.
    tracks: Vec<Vec<(usize, usize)>>,
    lanes: Vec<usize>,
}

impl Grid {
    fn of(plan: &mut Plan<'_>) -> Grid {
        let mut grid = Grid { bottom: ROW, lanes: plan.lanes(), ..Grid::default() };
        grid.set_heights(plan);
        grid.set_widths(plan);
        grid
    }

    /// From top to bottom, all columns from the same height on.
    fn set_heights(&mut self, plan: &mut Plan<'_>) {
        for column in 0..plan.columns.len() {
            let mut y = ROW + 2 * ROW;
            for node in plan.nodes.iter_mut().filter(|node| node.column == column) {
                node.y = y;
                y += height_of(node) + ROW;
            }
            self.bottom = self.bottom.max(y);
        }
        self.height = self.bottom + 2 * ROW + self.lanes.len() * TRACK;
    }

    /// From left to right.
    fn set_widths(&mut self, plan: &Plan<'_>) {
        let (count, mut x) = (plan.columns.len(), PAD);
        for gap in 0..=count {
            let nets = plan.tracks(gap);
            let home = nets.iter().filter(|&&net| plan.home(net) == gap);
            let label = home.map(|&net| width_of(plan.nets[net].message)).max().map_or(0, |width| width + PAD);
            let first = x + label + PAD;
            self.tracks.push(nets.iter().enumerate().map(|(at, &net)| (net, first + at * TRACK)).collect());
            x = first + nets.len() * TRACK + if gap == count || nets.is_empty() { 0 } else { HEAD };
            let Some(worker) = plan.columns.get(gap) else { break };
            let inside = plan.nodes.iter().filter(|node| node.column == gap);
            let width = inside.map(|node| width_of(&node.label) + 2 * PAD).max().unwrap_or(0);
            let width = width.max(worker.map_or(0, width_of));
            self.columns.push((x, width + 2 * PAD));
            x += width + 2 * PAD;
        }
        self.width = x + PAD;
    }

    fn lane_y(&self, net: usize) -> Option<usize> {
        let lane = self.lanes.iter().position(|&lane| lane == net)?;
        Some(self.bottom + ROW + lane * TRACK)
    }

    fn track_x(&self, gap: usize, net: usize) -> usize {
        self.tracks[gap].iter().find(|(at, _)| *at == net).map_or(0, |(_, x)| *x)
    }
}

impl Layout {
    fn of(table: &Table<'_>) -> Layout {
        let mut plan = Plan::of(table);
        let grid = Grid::of(&mut plan);
        let mut layout = Layout { width: grid.width, height: grid.height, ..Layout::default() };
        layout.place_boxes(&plan, &grid);
        for net in 0..plan.nets.len() {
            layout.draw_net(&plan, &grid, net);
        }
        layout
    }

    /// Workers, and in them their handlers.
    fn place_boxes(&mut self, plan: &Plan<'_>, grid: &Grid) {
        for (worker, &(x, width)) in plan.columns.iter().zip(&grid.columns) {
            if let Some(worker) = worker {
                let label = (*worker).to_owned();
                self.squares.push(Square { x, y: ROW, width, height: grid.bottom - ROW, label, is_worker: true });
            }
        }
        for node in &plan.nodes {
            let ((x, width), label) = (grid.columns[node.column], node.label.clone());
            let (x, width, height) = (x + PAD, width - 2 * PAD, height_of(node));
            self.squares.push(Square { x, y: node.y, width, height, label, is_worker: false });
        }
    }

    /// A net from its source to its track, and on to all that it is for.
    fn draw_net(&mut self, plan: &Plan<'_>, grid: &Grid, index: usize) {
        let (net, home) = (&plan.nets[index], plan.home(index));
        let source = &plan.nodes[net.from];
        let (x, width) = grid.columns[source.column];
        self.nets.push(format!("{}: {}", source.label, net.message));
        let out = port(&source.outs, index).map_or(0, |at| source.y + 2 * ROW + at * ROW + HALF);
        let track = grid.track_x(home, index);
        self.lines.push(Line { net: index, from: (x + width - PAD, out), to: (track, out), is_last: false });
        self.labels.push((index, (x + width + PAD / 2, out - 3), net.message.to_owned()));
        let lane = grid.lane_y(index);
        self.branch(plan, index, home, track, [Some(out), lane], grid.columns.get(home));
        if let Some(lane) = lane {
            self.follow_lane(plan, grid, index, lane);
        }
    }

    /// Along the lane, and up in every gap before a column that the net is for.
    fn follow_lane(&mut self, plan: &Plan<'_>, grid: &Grid, net: usize, lane: usize) {
        let home = plan.home(net);
        let mut stops = vec![grid.track_x(home, net)];
        for (gap, column) in grid.columns.iter().enumerate().filter(|(gap, _)| *gap != home) {
            if !plan.reached(net, gap).is_empty() {
                let track = grid.track_x(gap, net);
                stops.push(track);
                self.branch(plan, net, gap, track, [Some(lane), None], Some(column));
            }
        }
        stops.sort_unstable();
        let ends = (stops[0], stops[stops.len() - 1]);
        self.lines.push(Line { net, from: (ends.0, lane), to: (ends.1, lane), is_last: false });
        let between = stops.iter().filter(|&&stop| stop != ends.0 && stop != ends.1);
        self.dots.extend(between.map(|&stop| (net, (stop, lane))));
    }

    /// A net's track in a gap, from where it comes, `starts`, and its lines into the column behind.
    fn branch(
        &mut self,
        plan: &Plan<'_>,
        net: usize,
        gap: usize,
        track: usize,
        starts: [Option<usize>; 2],
        column: Option<&(usize, usize)>,
    ) {
        let mut heights: Vec<usize> = starts.into_iter().flatten().collect();
        for to in plan.reached(net, gap) {
            let node = &plan.nodes[to];
            let (Some(at), Some((x, _))) = (port(&node.ins, net), column) else { continue };
            let height = node.y + 2 * ROW + at * ROW;
            heights.push(height);
            self.lines.push(Line { net, from: (track, height), to: (x + PAD, height), is_last: true });
        }
        heights.sort_unstable();
        let (top, bottom) = (heights[0], heights[heights.len() - 1]);
        self.lines.push(Line { net, from: (track, top), to: (track, bottom), is_last: false });
        let between = heights.iter().filter(|&&height| height != top && height != bottom);
        self.dots.extend(between.map(|&height| (net, (track, height))));
    }
}

fn port(ports: &[usize], net: usize) -> Option<usize> {
    ports.iter().position(|&port| port == net)
}

/// The label, and below it a row for each line.
fn height_of(node: &Node) -> usize {
    2 * ROW + node.ins.len().max(node.outs.len()) * ROW
}

/// A little more than such letters take.
fn width_of(text: &str) -> usize {
    text.chars().count() * 15 / 2 + 1
}

pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_messenger::routing::{TableHandler, TableWorker};
    use rust_messenger::traits;

    fn kept<T>(items: Vec<T>) -> &'static [T] {
        items.leak()
    }

    /// Every handler of five workers with four each sends two messages to handlers all over the place.
    fn large() -> Table<'static> {
        let name = |number: usize| -> &'static str { format!("handler_{number}").leak() };
        let workers = (0..5).map(|worker| {
            let handlers = (4 * worker..4 * worker + 4).map(|number| TableHandler {
                name: name(number),
                type_name: "SomeHandler",
                id: number as u16,
                allow_unrouted: false,
            });
            // Some sources are no handlers, and some messages go to two workers.
            let routes = (0..22).map(|source| TableRoute {
                source: name(source),
                source_id: source as u16,
                message: if (source + worker) % 2 == 0 { "EvenMessage" } else { "OddMessage" },
                message_id: ((source + worker) % 2) as u16,
                layout: traits::Layout::UNKNOWN,
                receivers: kept(
                    (4 * worker..4 * worker + 4).filter(|number| (source * 7 + number) % 5 == 0).map(name).collect(),
                ),
            });
            let name: &'static str = format!("Worker{worker}").leak();
            TableWorker { name, handlers: kept(handlers.collect()), routes: kept(routes.collect()) }
        });
        Table { name: "Large", workers: kept(workers.collect()) }
    }

    fn overlap(a: (usize, usize), b: (usize, usize)) -> bool {
        let sorted = |(from, to): (usize, usize)| (from.min(to), from.max(to));
        let (a, b) = (sorted(a), sorted(b));
        a.0 < b.1 && b.0 < a.1
    }

    #[test]
    fn nothing_lies_upon_anything_else() {
        let layout = Layout::of(&large());
        assert_eq!(layout.squares.iter().filter(|square| !square.is_worker).count(), 22);
        assert!(layout.lines.len() > 150, "{}", layout.lines.len());
        let flat = |line: &Line| line.from.1 == line.to.1;
        for (place, a) in layout.lines.iter().enumerate() {
            for b in layout.lines[place + 1..].iter().filter(|b| b.net != a.net && flat(a) == flat(b)) {
                let is_upon = if flat(a) {
                    a.from.1 == b.from.1 && overlap((a.from.0, a.to.0), (b.from.0, b.to.0))
                } else {
                    a.from.0 == b.from.0 && overlap((a.from.1, a.to.1), (b.from.1, b.to.1))
                };
                assert!(!is_upon, "{a:?}\n{b:?}");
            }
            for square in layout.squares.iter().filter(|square| !square.is_worker) {
                let (xs, ys) = ((square.x, square.x + square.width), (square.y, square.y + square.height));
                let is_in = |at: usize, (from, to): (usize, usize)| from < at && at < to;
                let crosses = if flat(a) {
                    is_in(a.from.1, ys) && overlap((a.from.0, a.to.0), xs)
                } else {
                    is_in(a.from.0, xs) && overlap((a.from.1, a.to.1), ys)
                };
                assert!(!crosses, "{a:?}\n{square:?}");
            }
        }
        let area = |(_, (x, y), label): &(usize, Point, String)| ((*x, x + width_of(label)), (y - 10, y + 2));
        for (place, label) in layout.labels.iter().enumerate() {
            let (xs, ys) = area(label);
            for other in layout.labels[place + 1..].iter().map(area) {
                assert!(!(overlap(xs, other.0) && overlap(ys, other.1)), "{label:?}");
            }
            for line in &layout.lines {
                let is_in = |at: usize, (from, to): (usize, usize)| from < at && at < to;
                let crosses = if flat(line) {
                    is_in(line.from.1, ys) && overlap((line.from.0, line.to.0), xs)
                } else {
                    is_in(line.from.0, xs) && overlap((line.from.1, line.to.1), ys)
                };
                assert!(!crosses, "{label:?}\n{line:?}");
            }
        }
        let (width, height) = (layout.width, layout.height);
        assert!(layout.lines.iter().all(|line| line.to.0 < width && line.to.1 < height));
        assert_eq!(draw(&large()), draw(&large()));
    }

    #[test]
    fn an_empty_table_is_an_empty_picture() {
        let empty = Table { name: "<&\">", workers: &[] };
        assert!(draw(&empty).contains("<title>&lt;&amp;&quot;&gt;</title>"));
    }
}
