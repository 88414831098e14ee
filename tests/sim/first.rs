//! What a user writes first: a table, and a law of it. The bug: a bill may come before the delivery that it is for.

use rust_messenger::prelude::*;
use rust_messenger::testing::Sim;
#[derive(serde::Serialize, serde::Deserialize)]
struct Order(u64);
serde_message!(Order, 1);
#[derive(serde::Serialize, serde::Deserialize)]
struct Delivery(u64);
serde_message!(Delivery, 2);
#[derive(serde::Serialize, serde::Deserialize)]
struct Bill(u64);
serde_message!(Bill, 3);
struct Shop;
handler!(Shop, 1);
#[derive(Default)]
struct Store;
handler!(Store, 2, default);
#[derive(Default)]
struct Office;
handler!(Office, 3, default);
#[derive(Default)]
struct Home;
handler!(Home, 4, default);
impl Handle<Order> for Store {
    fn handle<W: Writer>(&mut self, order: &Order, writer: &W) {
        Self::send(&Delivery(order.0), writer);
    }
}
impl Handle<Order> for Office {
    fn handle<W: Writer>(&mut self, order: &Order, writer: &W) {
        Self::send(&Bill(order.0), writer);
    }
}
impl Handle<Delivery> for Home {
    fn handle<W: Writer>(&mut self, _: &Delivery, _: &W) {}
}
impl Handle<Bill> for Home {
    fn handle<W: Writer>(&mut self, _: &Bill, _: &W) {}
}
Messenger! {
    (),
    Goods: handlers: [ store: Store ] routes: [ Shop, Order: [ store ] ]
    Money: handlers: [ office: Office ] routes: [ Shop, Order: [ office ] ]
    Door: handlers: [ home: Home ] routes: [ Store, Delivery: [ home ], Office, Bill: [ home ] ]
}

#[test]
fn a_customer_gets_the_goods_before_the_bill() {
    let sim = Sim::new(|| CircularBus::new(4096))
        .node("shop", Messenger::with_options, ())
        .outside(10, |n, writer| Shop::try_send(&Order(n), writer))
        .law("goods come before the bill", 0, |delivered, seen| {
            *delivered += u64::from(seen.handled::<Delivery>().is_some());
            let early = seen.handled::<Bill>().filter(|bill| bill.0 >= *delivered);
            early.map_or(Ok(()), |bill| Err(format!("bill {} comes first", bill.0)))
        });
    assert_eq!(sim.try_run().unwrap_err().law, "goods come before the bill");
}
