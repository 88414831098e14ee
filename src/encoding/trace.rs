//! The shape of a serde type, found by deserializing it: a deserializer that writes down what it is asked for, and
//! answers with something.
//!
//! One pass sees one variant of each enum, and ends where a value is refused. So there are passes until one finds
//! nothing new: each takes, in every place that has a choice, what has not been seen, and then whatever ends soonest. A
//! type that holds itself is entered once. A place that refuses a value gets others; one that refuses all of them ends
//! what can be known, and so does one that asks for what is not told from the bytes.

use super::shape::Shape;
use crate::blame::caught;
use seen::{STEPS, Stop, Trace};
use serde::de::DeserializeOwned;
use tracer::Tracer;

mod seen;
mod tracer;

/// The shape of `M`, as its `Deserialize` asks for it; `?` if that panics.
pub fn shape<M: DeserializeOwned>() -> String {
    let traced = caught(|| {
        let mut trace = Trace::new();
        run(&mut trace, |tracer| M::deserialize(tracer).map(drop));
        trace.shape(0).to_string()
    });
    traced.unwrap_or_else(|_| Shape::Unknown.to_string())
}

/// Passes until one finds nothing.
fn run(trace: &mut Trace, mut pass: impl FnMut(Tracer<'_>) -> Result<(), Stop>) {
    loop {
        trace.begin();
        let outcome = pass(Tracer { trace, at: 0, only_finite: false });
        if let Err(Stop::Refused) = outcome {
            trace.refuse(trace.touched);
        }
        if !trace.found || trace.steps > STEPS {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
