//! Scratch.
use simulator::{*, options::Faults};
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let faults = match args[1].as_str() {"none"=>Faults::None,"network"=>Faults::Network,_=>Faults::All};
    let n: u64 = args[2].parse().unwrap();
    let seed: u64 = args[3].parse().unwrap();
    let mut o = Options { faults, ..Options::default() };
    if let Some(p) = args.get(4) { o.collude = Some(p.parse().unwrap()); o.replicas = Some(args[5].parse().unwrap()); }
    let t = std::time::Instant::now();
    let mut c = Campaign::new(o, seed, n);
    while c.run_next() {}
    let s = t.elapsed().as_secs_f64();
    println!("{:?}\n{} referendums/s", c.totals(), c.totals().referendums as f64 / s);
    if let Some(e) = c.expectation() { println!("{e:?} rate {} se {:?} z {:?}", c.totals().wrong_rate.rate(), c.totals().wrong_rate.standard_error(), c.totals().wrong_rate.deviation_from(e.rate)); }
}
