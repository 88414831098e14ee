//! `rmsg top`: a named ring, live, with rates.
//!
//! A ring's pages change without the system noticing, so it is looked at now and then. The lines are those of
//! `rmsg stat`; here they are put on a terminal, which is given back however this ends.

use crate::args::{TopArgs, TopFormat};
use crate::failure::Failure;
use crate::json;
use crate::names::clean;
use crate::output::{Ink, Outcome, Output, watch_output};
use crate::picture;
use crate::ring::{self, Cell, Rates};
use crate::stat;
use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::Paragraph;
use rust_messenger::message_bus::NamedStats;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::{Duration, Instant};

/// The last look, and what it differs by from the one before.
#[derive(Debug)]
struct Watch<'a> {
    path: &'a Path,
    stats: NamedStats,
    rates: Option<Rates>,
    seen: Instant,
}

impl Watch<'_> {
    fn begin(path: &Path) -> Result<Watch<'_>, Failure> {
        Ok(Watch { path, stats: NamedStats::read(path)?, rates: None, seen: Instant::now() })
    }

    fn look(&mut self) -> Result<(), Failure> {
        let (stats, now) = (NamedStats::read(self.path)?, Instant::now());
        self.rates = Some(Rates::between(&self.stats, &stats, now - self.seen));
        (self.stats, self.seen) = (stats, now);
        Ok(())
    }

    fn lines(&self) -> Vec<Vec<Cell>> {
        ring::lines(&self.stats, self.rates.as_ref())
    }
}

pub fn top(args: &TopArgs) -> Result<Outcome, Failure> {
    match (args.once, args.format) {
        (true, format) => once(args, format)?,
        (false, TopFormat::Json) => print_forever(args)?,
        (false, TopFormat::Svg) => {
            return Err(Failure::Usage("--format svg: a picture stands still; add --once".to_owned()));
        }
        (false, TopFormat::Text) if !io::stdout().is_terminal() || !io::stdin().is_terminal() => {
            return Err(Failure::Usage("top wants a terminal; add --once, or --format json".to_owned()));
        }
        (false, TopFormat::Text) => show(args)?,
    }
    Ok(Outcome::Fine)
}

fn once(args: &TopArgs, format: TopFormat) -> Result<(), Failure> {
    let mut watch = Watch::begin(&args.file)?;
    watch_output(args.every)?;
    watch.look()?;
    let mut output = Output::new();
    match format {
        TopFormat::Text => stat::print(&mut output, &watch.stats, watch.rates.as_ref())?,
        TopFormat::Json => output.line(&json::line(&stat::object(&watch.stats, watch.rates.as_ref()))?)?,
        TopFormat::Svg => {
            let name = args.file.file_name().unwrap_or_default().to_string_lossy();
            output.text(&picture::draw(&clean(&format!("$ rmsg top {name}")), &watch.lines()))?;
        }
    }
    Ok(output.flush()?)
}

/// An object a look, until nobody reads them any more.
fn print_forever(args: &TopArgs) -> Result<(), Failure> {
    let mut watch = Watch::begin(&args.file)?;
    let mut output = Output::new();
    loop {
        watch_output(args.every)?;
        watch.look()?;
        output.line(&json::line(&stat::object(&watch.stats, watch.rates.as_ref()))?)?;
        output.flush()?;
    }
}

/// On the terminal, until it is told to end.
fn show(args: &TopArgs) -> Result<(), Failure> {
    // Before the screen is another one: an error is to stay.
    let mut watch = Watch::begin(&args.file)?;
    let mut terminal = ratatui::try_init()?;
    let shown = show_on(&mut watch, args.every, |draw| terminal.draw(draw).map(|_| ()));
    ratatui::try_restore()?;
    shown
}

fn show_on(
    watch: &mut Watch<'_>,
    every: Duration,
    mut draw: impl FnMut(&mut dyn FnMut(&mut Frame<'_>)) -> io::Result<()>,
) -> Result<(), Failure> {
    let (mut first, mut next) = (0, Instant::now() + every);
    loop {
        let lines = watch.lines();
        draw(&mut |frame| {
            // The last line stays on the screen.
            let most = (lines.len() + 2).saturating_sub(usize::from(frame.area().height));
            first = first.min(most);
            frame.render_widget(screen(watch.path, &lines, first), frame.area());
        })?;
        let left = next.saturating_duration_since(Instant::now());
        if event::poll(left)? {
            match asked(&event::read()?) {
                Asked::End => return Ok(()),
                Asked::Down => first += 1,
                Asked::Up => first = first.saturating_sub(1),
                Asked::Nothing => {}
            }
        }
        if Instant::now() >= next {
            watch.look()?;
            next = Instant::now() + every;
        }
    }
}

/// What whoever sits there asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    End,
    Down,
    Up,
    Nothing,
}

fn asked(event: &Event) -> Asked {
    match event {
        Event::Key(KeyEvent { kind: KeyEventKind::Release, .. }) => Asked::Nothing,
        Event::Key(KeyEvent { code: KeyCode::Char('c'), modifiers, .. })
            if modifiers.contains(KeyModifiers::CONTROL) =>
        {
            Asked::End
        }
        Event::Key(KeyEvent { code: KeyCode::Char('q') | KeyCode::Esc, .. }) => Asked::End,
        Event::Key(KeyEvent { code: KeyCode::Down | KeyCode::Char('j'), .. }) => Asked::Down,
        Event::Key(KeyEvent { code: KeyCode::Up | KeyCode::Char('k'), .. }) => Asked::Up,
        _ => Asked::Nothing,
    }
}

/// All lines from `first` on, under the name of the ring.
fn screen<'a>(path: &Path, lines: &'a [Vec<Cell>], first: usize) -> Paragraph<'a> {
    let path = clean(&path.display().to_string());
    let title = Line::from(vec![
        Span::styled(path, Style::new().add_modifier(Modifier::BOLD)),
        Span::styled("  q ends, arrows scroll", style(Some(Ink::Faint))),
    ]);
    let spans = |line: &'a Vec<Cell>| {
        Line::from(line.iter().map(|cell| Span::styled(cell.text.as_str(), style(cell.ink))).collect::<Vec<_>>())
    };
    let rest = lines.iter().skip(first).map(spans);
    Paragraph::new(Text::from_iter([title, Line::default()].into_iter().chain(rest)))
}

fn style(ink: Option<Ink>) -> Style {
    match ink {
        None => Style::new(),
        Some(Ink::Faint) => Style::new().add_modifier(Modifier::DIM),
        Some(Ink::Strong) => Style::new().add_modifier(Modifier::BOLD),
        Some(Ink::Notice) => Style::new().fg(Color::Yellow),
        Some(Ink::Alarm) => Style::new().fg(Color::Red),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn shown(lines: &[Vec<Cell>], first: usize, (width, height): (u16, u16)) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let drawn = terminal.draw(|frame| frame.render_widget(screen(Path::new("a\x1bb"), lines, first), frame.area()));
        let buffer = drawn.unwrap().buffer.clone();
        let line = |row| (0..width).map(|column| buffer[(column, row)].symbol()).collect::<String>();
        (0..height).map(|row| line(row).trim_end().to_owned()).collect()
    }

    #[test]
    fn a_screen_shows_what_there_is_room_for_and_the_rest_by_scrolling() {
        let lines: Vec<_> = (0..5).map(|row| vec![Cell { text: format!("line {row}"), ink: None }]).collect();
        let title = "a\\u{1b}b  q ends, arrows scroll";
        assert_eq!(shown(&lines, 0, (40, 4)), [title, "", "line 0", "line 1"]);
        assert_eq!(shown(&lines, 3, (40, 4)), [title, "", "line 3", "line 4"]);
        assert_eq!(shown(&lines, 0, (3, 3)), ["a\\u", "", "lin"]);
    }

    #[test]
    fn keys_end_it_and_scroll() {
        let key = |code, modifiers| Event::Key(KeyEvent::new(code, modifiers));
        for (event, expected) in [
            (key(KeyCode::Char('q'), KeyModifiers::NONE), Asked::End),
            (key(KeyCode::Esc, KeyModifiers::NONE), Asked::End),
            (key(KeyCode::Char('c'), KeyModifiers::CONTROL), Asked::End),
            (key(KeyCode::Char('c'), KeyModifiers::NONE), Asked::Nothing),
            (key(KeyCode::Down, KeyModifiers::NONE), Asked::Down),
            (key(KeyCode::Up, KeyModifiers::NONE), Asked::Up),
            (Event::Resize(1, 1), Asked::Nothing),
        ] {
            assert_eq!(asked(&event), expected, "{event:?}");
        }
    }
}
