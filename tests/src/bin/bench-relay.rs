//! `cargo xtask bench relay`: our relay and coturn, each a process of its own, under the same load from this one, on
//! loopback by UDP, in the same run. Pairs of clients send through a channel each to the other's relayed address, as two
//! browsers do that cannot reach each other. It fails if a goal is missed or something could not be measured.

use std::process::ExitCode;
use std::time::Duration;

use peersync_tests::bench::verdict;
use peersync_tests::relay_bench::load::{DATA, Latencies};
use peersync_tests::relay_bench::measure::{Row, direct_latencies, relayed_latencies, row};
use peersync_tests::relay_bench::servers::{Kind, serve_ours};

/// The largest latency that our relay may add to 99 of 100 packets at half load.
const ADDED: Duration = Duration::from_millis(1);
/// The largest memory of an allocation, in bytes.
const BYTES: f64 = 8192.0;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let result = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve-ours", port] => {
            serve_ours(port.parse().unwrap_or_default()).await;
            Ok(true)
        }
        [] => run().await,
        _ => Err("this benchmark has no options".to_owned()),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<bool, String> {
    println!("Packets of {DATA} bytes between pairs of clients, both relayed, by UDP on loopback.\n");
    let (ours, coturn) = (row(Kind::Ours).await?, row(Kind::Coturn).await?);
    println!(
        "{:>10} {:>18} {:>12} {:>16} {:>18}",
        "", "packets/core-s", "packets/s", "allocations/s", "bytes/allocation"
    );
    for row in [&ours, &coturn] {
        print(row);
    }
    let rate = ours.packets.min(coturn.packets) / 2.0;
    let direct = direct_latencies(rate).await?;
    let through = [relayed_latencies(Kind::Ours, rate).await?, relayed_latencies(Kind::Coturn, rate).await?];
    println!("\nLatency at {rate:.0} packets/s, which is half of what the slower one carried:");
    for (name, latencies) in
        ["directly", Kind::Ours.name(), Kind::Coturn.name()].iter().zip([&direct].into_iter().chain(&through))
    {
        print_latencies(name, latencies);
    }
    println!();
    Ok(goals(&ours, &coturn, &direct, &through))
}

fn goals(ours: &Row, coturn: &Row, direct: &Latencies, through: &[Latencies; 2]) -> bool {
    let ratio = ours.packets_per_core / coturn.packets_per_core;
    let added = through[0].quantile(0.99).saturating_sub(direct.quantile(0.99));
    let goals = [
        verdict("packets per core-second, times coturn's (at least 1)", ratio >= 1.0, &format!("{ratio:.2}")),
        verdict("added latency, p99 (at most 1 ms)", added <= ADDED, &format!("{} µs", added.as_micros())),
        verdict("memory per allocation (at most 8 KB)", ours.bytes <= BYTES, &format!("{:.0} bytes", ours.bytes)),
    ];
    println!("allocations per second, times coturn's: {:.2}", ours.allocations / coturn.allocations);
    goals.iter().all(|reached| *reached)
}

fn print(row: &Row) {
    let Row { kind, packets_per_core, packets, allocations, bytes } = row;
    println!("{:>10} {packets_per_core:>18.0} {packets:>12.0} {allocations:>16.0} {bytes:>18.0}", kind.name());
}

fn print_latencies(name: &str, latencies: &Latencies) {
    let [half, most] = [0.5, 0.99].map(|fraction| latencies.quantile(fraction).as_micros());
    let lost = latencies.sent.saturating_sub(latencies.arrived.len());
    println!("{name:>10}  p50 {half} µs, p99 {most} µs, {lost} of {} lost", latencies.sent);
}
