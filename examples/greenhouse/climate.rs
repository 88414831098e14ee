//! What is decided: one generic handler, which heats in one place of the table and waters in another.

use crate::messages::{HandlerId, Order, Reading};
use rust_messenger::prelude::*;
use std::marker::PhantomData;

/// What a controller looks at, and what it does then.
pub trait Purpose: 'static {
    const ID: HandlerId;
    const KIND: u32;
    const DEVICE: &'static str;

    /// How hard the device is to work.
    fn percent(value: i32) -> u32;
}

pub struct Warmth;

impl Purpose for Warmth {
    const ID: HandlerId = HandlerId::Heating;
    const KIND: u32 = 0;
    const DEVICE: &'static str = "heater";

    /// Ten percent for each degree below 20.
    fn percent(degrees: i32) -> u32 {
        (20 - degrees).clamp(0, 12) as u32 * 10
    }
}

pub struct Moisture;

impl Purpose for Moisture {
    const ID: HandlerId = HandlerId::Watering;
    const KIND: u32 = 1;
    const DEVICE: &'static str = "valve";

    fn percent(moisture: i32) -> u32 {
        if moisture < 30 { 50 } else { 0 }
    }
}

/// Orders what each reading of its kind asks for.
pub struct Controller<P>(PhantomData<P>);

pub type Heating = Controller<Warmth>;
pub type Watering = Controller<Moisture>;

impl<P: Purpose> Handler for Controller<P> {
    type Id = HandlerId;
    const ID: HandlerId = P::ID;
}

impl<C, P: Purpose> New<C> for Controller<P> {
    fn new<W: Writer>(_: &C, _: &W) -> Self {
        Controller(PhantomData)
    }
}

impl<P: Purpose> Handle<Reading> for Controller<P> {
    fn handle<W: Writer>(&mut self, reading: &Reading, writer: &W) {
        if reading.kind == P::KIND {
            let (number, device) = (reading.number, P::DEVICE.to_owned());
            Self::send(&Order { number, device, percent: P::percent(reading.value) }, writer);
        }
    }
}
