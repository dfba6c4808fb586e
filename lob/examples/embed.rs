//! Embeds a book: quotes, an iceberg, a stop, a fork and what the events say.
//!
//! `cargo run -p lob --example embed`

use lob::{BookConfig, Event, NewOrder, OrderBook, Owner, Price, Quantity, Side};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (maker, trader) = (Owner(1), Owner(2));
    let mut book = OrderBook::new(BookConfig::default())?;
    let mut events = Vec::new();

    for (price, lots) in [(998, 20), (999, 10)] {
        book.submit(NewOrder::limit(maker, Side::Buy, Price(price), Quantity(lots)), &mut events)?;
    }
    let iceberg = NewOrder::limit(maker, Side::Sell, Price(1001), Quantity(30)).display(Quantity(10));
    let iceberg = book.submit(iceberg, &mut events)?;
    book.submit(NewOrder::limit(maker, Side::Sell, Price(1002), Quantity(10)), &mut events)?;
    // A stop that buys once the price reaches 1001.
    book.submit(NewOrder::stop(trader, Side::Buy, Price(1001), Quantity(4)), &mut events)?;
    println!("spread {:?} ticks, mid {:?}, microprice {:?}", book.spread(), book.mid(), book.microprice());

    // What would a market order do? Ask, or fork the book and try.
    let sweep = book.sweep(Side::Buy, Quantity(35));
    println!("buying 35 lots would cost {:?} ticks a lot on average", sweep.average_price());
    let fork = book.clone();

    events.clear();
    book.submit(NewOrder::market(trader, Side::Buy, Quantity(12)), &mut events)?;
    for event in &events {
        match event {
            Event::Trade { price, quantity, maker, .. } => {
                println!("{quantity} traded at {price} with {maker}")
            }
            other => println!("{other:?}"),
        }
    }
    println!("of the iceberg: {:?}", book.order(iceberg));
    println!("digests: traded {:016x}, fork {:016x}", book.digest(), fork.digest());

    let bytes = book.snapshot().to_bytes();
    let restored = OrderBook::restore(&lob::Snapshot::from_bytes(&bytes)?)?;
    println!("a snapshot of {} bytes restores digest {:016x}", bytes.len(), restored.digest());
    Ok(())
}
