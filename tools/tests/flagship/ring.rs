//! The memory of a ring as a picture, drawn from what a bus says after a few messages.

use rust_messenger::message_bus::CircularBus;
use rust_messenger::traits::{MessageBus, Publish, Reader};

const CAPACITY: u64 = 1024;
/// Pixels: where the ring begins, and how wide a slot of 16 bytes is.
const LEFT: u64 = 150;
const STEP: u64 = 11;
const TOP: u64 = 70;
const HEIGHT: u64 = 46;

/// Where an offset is.
fn x(offset: u64) -> u64 {
    LEFT + offset * STEP / 16
}

fn rect(from: u64, to: u64, fill: &str) -> String {
    let (x, width) = (x(from), x(to) - x(from));
    format!("<rect x=\"{x}\" y=\"{TOP}\" width=\"{width}\" height=\"{HEIGHT}\" fill=\"{fill}\" stroke=\"#333b44\"/>\n")
}

fn text(x: u64, y: u64, anchor: &str, text: &str) -> String {
    format!("<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>\n")
}

/// An arrow from below to `position`, and what it says on its right, or on its left.
fn arrow(position: u64, row: u64, is_right: bool, says: &str) -> String {
    let (x, from) = (x(position % CAPACITY), TOP + HEIGHT + 22 + row * 24);
    let to = TOP + HEIGHT + 2;
    let head = format!("M{x} {to}L{} {}L{} {}z", x - 4, to + 8, x + 4, to + 8);
    format!("<path d=\"M{x} {from}L{x} {to}\" stroke=\"#1f5fa8\"/>\n<path d=\"{head}\" fill=\"#1f5fa8\"/>\n")
        + &if is_right { text(x + 8, from, "start", says) } else { text(x - 8, from, "end", says) }
}

/// Eighteen messages, of which one reader has read all but one, and another one all but six.
pub fn draw() -> String {
    let bus = CircularBus::new(CAPACITY as usize).unwrap();
    let (mut fast, mut slow) = (bus.subscribe("fast").unwrap(), bus.subscribe("slow").unwrap());
    let writer = bus.writer().unwrap();
    let mut slots = Vec::new();
    for number in 1..=17_u64 {
        writer.try_write_bytes(1, 1, &[0; 64]).expect("there is room");
        let position = fast.try_read(|header, _| header.position).unwrap();
        slots.push((number, position));
        if number <= 12 {
            slow.try_read(|_, _| ()).unwrap();
        }
        fast.release();
        slow.release();
    }
    // The last one, which nobody has read.
    writer.try_write_bytes(1, 1, &[0; 64]).expect("there is room");
    slots.push((18, slots.last().unwrap().1 + 80));
    let (stats, spare) = (bus.stats(), bus.max_payload() as u64 + 16);
    let gate = stats.readers.iter().map(|reader| reader.position).min().unwrap();

    let width = x(CAPACITY + spare) + 24;
    let mut picture = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"190\" viewBox=\"0 0 {width} 190\" \
         font-family=\"monospace\" font-size=\"12\">\n<title>The memory of a ring</title>\n\
         <rect width=\"{width}\" height=\"190\" fill=\"#ffffff\"/>\n"
    );
    picture +=
        &text(24, 30, "start", &format!("a ring of {CAPACITY} bytes, mapped; each slot: stamp, header, payload"));
    picture += &format!(
        "<rect x=\"24\" y=\"{TOP}\" width=\"110\" height=\"{HEIGHT}\" fill=\"#f3f5f7\" stroke=\"#aab2bb\"/>\n"
    );
    picture += &text(79, TOP + 28, "middle", "control block");
    picture += &rect(0, CAPACITY, "#ffffff");
    picture += &rect(CAPACITY, CAPACITY + spare, "#f3f5f7");
    picture += &text(x(CAPACITY) + 10, TOP - 10, "start", "spare bytes");
    picture += &text(x(0), TOP - 10, "start", "0");
    picture += &text(x(CAPACITY), TOP - 10, "end", &CAPACITY.to_string());
    for (number, position) in slots.iter().filter(|(_, position)| *position >= gate) {
        let offset = position % CAPACITY;
        picture += &rect(offset, offset + 80, "#dbe7f5");
        picture += &text(x(offset + 40), TOP + 28, "middle", &number.to_string());
    }
    let of = |name: &str| stats.readers.iter().find(|reader| reader.name == name).unwrap().position;
    picture += &arrow(of("slow"), 0, false, "the slow reader: the gate");
    picture += &arrow(of("fast"), 0, false, "the fast reader");
    picture += &arrow(stats.tail, 1, true, "the tail: the next writer claims from here, up to the gate");
    picture + "</svg>\n"
}
