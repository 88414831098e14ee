//! Where somebody may ask to begin, beside a writer that is at work; and where held readers are.

use super::{Bus, FIRST, image_of, message, open, small};
use crate::message_bus::journal::options::{PersistentOptions, Retention, Start};
use crate::message_bus::ring::reader::RingReader;
use crate::traits::{CursorError, MessageBus, Publish, Reader};
use std::time::Duration;

/// Behind an unfinished claim nobody knows where a slot begins until its writer is done, and within it the writer
/// writes plain bytes, which it has for itself: Miri sees whoever looks for a stamp there.
#[test]
fn behind_an_unfinished_claim_no_position_is_found() {
    let first = FIRST as u64;
    let inside = first + 64;
    let options = PersistentOptions { start: Start::Resume, ..small() };
    let sample = Bus::made_in_memory(options.clone()).unwrap();
    sample.writer().unwrap().write_bytes(1, 1, &[7; 200]).unwrap();
    let behind = sample.tail();
    let options = options.start_reader("inside", Start::At(inside)).start_reader("behind", Start::At(behind));
    let bus = Bus::made_in_memory(options).unwrap();
    drop(bus.subscribe("named").unwrap());

    let fill = |payload: &mut [u8]| {
        bus.writer().unwrap().write_bytes(1, 1, &message(1)).unwrap();
        for (name, asked) in [("inside", inside), ("behind", behind)] {
            assert_eq!(bus.subscribe(name).err(), Some(CursorError::NoSuchPosition { asked }.into()), "{name}");
            assert_eq!(bus.set_cursor("named", asked), Err(CursorError::NoSuchPosition { asked }), "{name}");
            assert_eq!(bus.position_after(asked), Err(CursorError::NoSuchPosition { asked }), "{name}");
        }
        // A slot begins where it begins itself, only nobody knows how long it is.
        assert_eq!(bus.position_after(first), Err(CursorError::NoSuchPosition { asked: first }));
        bus.set_cursor("named", first).unwrap();
        payload.fill(7);
    };
    bus.writer().unwrap().write(1, 1, 200, fill).unwrap();

    let asked = inside;
    assert_eq!(bus.set_cursor("named", asked), Err(CursorError::NoSuchPosition { asked }));
    assert_eq!(bus.position_after(first), Ok(behind));
    bus.set_cursor("named", behind).unwrap();
    for name in ["behind", "named"] {
        assert_eq!(bus.subscribe(name).unwrap().try_read(|_, payload| payload.to_vec()).unwrap(), message(1), "{name}");
    }
}

/// The named cursor of a held reader moves when that releases, and at nothing else, and is where the next one begins;
/// one that is told where to begin begins there, before the cursor or behind it.
#[test]
#[cfg_attr(miri, ignore = "many minutes of the scan that the tests beside it take, too")]
fn a_held_cursor_moves_with_what_is_released_alone() {
    let bus = Bus::made_in_memory(small()).unwrap();
    let writer = bus.writer().unwrap();
    let mut places = Vec::new();
    for number in 0..40 {
        places.push(bus.tail());
        writer.write_bytes(1, 1, &message(number)).unwrap();
    }
    let first = |reader: &mut RingReader<_, _>| reader.try_read(|_, payload| payload[0]).unwrap();
    // At first, where the oldest message is; after that, where it was left.
    for (begins, releases) in [(0, 10), (10, 10), (10, 33)] {
        let mut held = bus.subscribe_held("away", None).unwrap();
        assert_eq!(first(&mut held), begins);
        while held.try_read(|_, _| ()).is_ok() {}
        held.release();
        held.wait(Some(Duration::ZERO));
        assert_eq!(bus.cursors()["away"], places[usize::from(begins)]);
        held.release_to(places[releases]).unwrap();
        assert_eq!(bus.cursors()["away"], places[releases]);
        held.rewind_to(places[releases + 1]).unwrap();
        assert_eq!(bus.subscribe_held("away", None).err(), Some(CursorError::InUse.into()));
    }
    for begins in [5, 39] {
        let mut held = bus.subscribe_held("away", Some(places[begins])).unwrap();
        assert_eq!(usize::from(first(&mut held)), begins);
        drop(held);
        assert_eq!(bus.cursors()["away"], places[33], "nothing was released");
    }
    let held = bus.subscribe_held("away", Some(places[5])).unwrap();
    drop((held, bus.subscribe_held("new", Some(places[7])).unwrap()));
    assert_eq!(bus.cursors()["new"], places[7]);
    assert_eq!(bus.subscribe_held("", None).err(), Some(CursorError::Name.into()));
    // The page of the file says the same.
    let (bus, _) = open(&image_of(&bus), small()).unwrap();
    assert_eq!(first(&mut bus.subscribe_held("away", None).unwrap()), 33);
}

/// What a held reader has not released is not forgotten, and what is forgotten is refused.
#[test]
fn what_is_held_is_retained() {
    let retention = Retention { size: Some(0), ..Retention::default() };
    let bus = Bus::made_in_memory(PersistentOptions { retention, ..small() }).unwrap();
    let writer = bus.writer().unwrap();
    let mut held = bus.subscribe_held("away", None).unwrap();
    let mut places = Vec::new();
    for number in 0..40 {
        places.push(bus.tail());
        writer.write_bytes(1, 1, &message(number)).unwrap();
        held.try_read(|_, _| ()).unwrap();
    }
    assert_eq!(bus.retain().unwrap().from, places[0]);
    held.release_to(places[20]).unwrap();
    assert_eq!(bus.retain().unwrap().from, places[20]);
    held.rewind_to(places[20]).unwrap();
    assert_eq!(held.try_read(|_, payload| payload.to_vec()).unwrap(), message(20));
    drop(held);
    let gone = CursorError::NotRetained { asked: places[19], oldest: places[20] };
    assert_eq!(bus.subscribe_held("away", Some(places[19])).err(), Some(gone.into()));
}
