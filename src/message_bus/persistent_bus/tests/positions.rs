//! Where somebody may ask to begin beside a writer that is at work.

use super::{Bus, FIRST, message, small};
use crate::message_bus::journal::options::{PersistentOptions, Start};
use crate::traits::{CursorError, MessageBus, Publish, Reader};

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
