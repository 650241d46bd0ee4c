//! `cargo xtask bench`: what a full look-up costs beside a reverse proxy that checks nothing, against the same
//! simulated authorities, on the same machine, in the same run. Only ratios within one run mean anything.
//!
//! The server that is measured has cores of its own; the authorities and the load have the others. A round asks the
//! proxy, the gateway and the gateway without its seals in turn, so that what else the machine does meets all three;
//! the median of the rounds counts. docs/performance.md says how to read the figures.

mod cores;
mod disk;
mod figures;
mod load;
mod place;
mod programs;
mod servers;

use clap::Args;

use crate::run::{self, Stopwatch};
use cores::Cores;
use figures::{Figures, median};
use load::{Load, Measured, Target};
use place::Place;
use programs::Programs;
use servers::{Gateway, Proxy, Sandbox, Suite};

/// How many people the smaller database has for each of the larger one's: growth is measured over this factor.
const GROWTH: u64 = 10;
/// How often the start is measured.
const STARTS: usize = 3;

/// How much is measured.
#[derive(Args)]
pub(crate) struct Options {
    /// People in the larger database; the smaller one has a tenth of them
    #[arg(long, default_value_t = 100_000)]
    people: u64,
    /// Rounds, of which the median counts
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds that are counted in each part of a round
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Connections of the load
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Cores of the server that is measured; the authorities and the load have the others
    #[arg(long, default_value_t = 1)]
    server_cores: usize,
    /// Fields that are asked, separated by commas; all where none is named
    #[arg(long, default_value = "")]
    fields: String,
    /// One short round over few people: that everything works, not how fast
    #[arg(long)]
    quick: bool,
}

impl Options {
    fn made_quick(&self) -> Options {
        let (people, rounds, seconds) = if self.quick {
            (2_000, 1, 1.0)
        } else {
            (self.people, self.rounds, self.seconds)
        };
        Options {
            people,
            rounds: rounds.max(1),
            seconds,
            fields: self.fields.clone(),
            ..*self
        }
    }
}

/// Runs it, and prints one line of JSON at the end. Whether routing costs no more than it may is a bound; the others are
/// aims, and a quick run judges nothing.
///
/// # Errors
/// Something cannot be built or started, or an answer was wrong.
pub(crate) fn bench(options: &Options) -> Result<bool, String> {
    let options = options.made_quick();
    let (whole, quick) = (Stopwatch::start(), options.quick);
    let cores = Cores::share(options.server_cores)?;
    let programs = Programs::build()?;
    let place = Place::new()?;
    let bench = Bench {
        options,
        cores,
        programs,
        place,
    };
    let figures = bench.measure()?;
    eprintln!("took {:.0} s", whole.elapsed().as_secs_f64());
    println!("{}", figures.json());
    Ok(quick || figures.routing_is_cheap())
}

struct Bench {
    options: Options,
    cores: Cores,
    programs: Programs,
    place: Place,
}

/// What the rounds at full load gave.
struct Rounds {
    proxy: Vec<Measured>,
    gateway: Vec<Measured>,
    unsealed: Vec<Measured>,
}

impl Bench {
    fn measure(&self) -> Result<Figures, String> {
        let (people, few) = (self.options.people, (self.options.people / GROWTH).max(1));
        let sandbox = Sandbox::start(self, Suite::Intl)?;
        let proxy = Proxy::start(self, &sandbox)?;
        self.seed("small", Suite::Intl, few)?;
        self.seed("large", Suite::Intl, people)?;
        self.place.copy("large", "unsealed")?;
        let (first_answer_ms, idle_rss_mb) = self.start_up(&sandbox)?;
        let large = Gateway::start(self, &self.programs.gateway, "large", &sandbox)?;
        let unsealed = Gateway::start(self, &self.programs.unsealed, "unsealed", &sandbox)?;
        let rounds = self.rounds(&proxy, &large, &unsealed, &sandbox)?;
        drop(unsealed);
        let small = Gateway::start(self, &self.programs.gateway, "small", &sandbox)?;
        let mut figures = Figures {
            people,
            first_answer_ms,
            idle_rss_mb,
            routing_share: self.routing_us()? / median(&each(&rounds.gateway, |m| m.cpu_us)),
            ..rounds.figures()
        };
        self.half_load(
            &mut figures,
            &rounds,
            [&proxy.target, &large.target, &small.target],
        )?;
        drop((large, small));
        self.gm(&rounds)?;
        figures.print();
        Ok(figures)
    }

    fn seed(&self, name: &str, suite: Suite, people: u64) -> Result<(), String> {
        eprintln!("registering {people} people (suite {})", suite.name());
        let watch = Stopwatch::start();
        servers::seed(self, name, suite, people)?;
        eprintln!("  took {:.1} s", watch.elapsed().as_secs_f64());
        Ok(())
    }

    /// From exec to the first look-up's answer on an existing database, and the memory of a gateway at rest.
    fn start_up(&self, sandbox: &Sandbox) -> Result<(f64, f64), String> {
        let (mut answers, mut memory) = (vec![], vec![]);
        for _ in 0..STARTS {
            let gateway = Gateway::start(self, &self.programs.gateway, "large", sandbox)?;
            answers.push(gateway.first_answer_ms);
            memory.push(gateway.idle_rss_mb()?);
            gateway.stop()?;
        }
        Ok((median(&answers), median(&memory)))
    }

    /// Microseconds of CPU by which a choice among eight regional sources is dearer than none.
    fn routing_us(&self) -> Result<f64, String> {
        let told = run::output(&mut self.cores.server(&self.programs.routing))?;
        let told = told.trim();
        told.parse()
            .map_err(|_| format!("routing_speed told no figure: {told}"))
    }

    /// All three as fast as they answer, in turn.
    fn rounds(
        &self,
        proxy: &Proxy,
        gateway: &Gateway,
        unsealed: &Gateway,
        sandbox: &Sandbox,
    ) -> Result<Rounds, String> {
        let mut rounds = Rounds {
            proxy: vec![],
            gateway: vec![],
            unsealed: vec![],
        };
        for round in 1..=self.options.rounds {
            eprintln!("round {round} of {}, as fast as they answer", self.options.rounds);
            let full = |name, target: &Target| self.load(name, target, 0.0, Some(sandbox.pid()));
            rounds.proxy.push(full("proxy", &proxy.target)?);
            rounds.gateway.push(full("gateway", &gateway.target)?);
            rounds.unsealed.push(full("unsealed", &unsealed.target)?);
        }
        Ok(rounds)
    }

    /// The proxy, and the gateway with many and with few people, at half of what each can do, and what a sync takes.
    fn half_load(
        &self,
        figures: &mut Figures,
        rounds: &Rounds,
        [proxy, large, small]: [&Target; 3],
    ) -> Result<(), String> {
        let half = |measured: &[Measured]| median(&each(measured, |m| m.per_second)) / 2.0;
        let (proxy_rate, rate) = (half(&rounds.proxy), half(&rounds.gateway));
        let (mut with_proxy, mut with_large, mut with_small, mut syncs) = (vec![], vec![], vec![], vec![]);
        for round in 1..=self.options.rounds {
            eprintln!("round {round} of {}, at half load", self.options.rounds);
            syncs.extend(disk::sync_times(self.place.folder())?);
            with_proxy.push(self.load("proxy", proxy, proxy_rate, None)?);
            with_large.push(self.load("gateway, many people", large, rate, None)?);
            with_small.push(self.load("gateway, few people", small, rate, None)?);
        }
        syncs.sort_by(f64::total_cmp);
        let median_of = |measured: &[Measured], what: fn(&Measured) -> f64| median(&each(measured, what));
        figures.p50_ms = median_of(&with_large, |m| m.p50_ms);
        figures.p99_ms_half_load = median_of(&with_large, |m| m.p99_ms);
        figures.proxy_p50_ms = median_of(&with_proxy, |m| m.p50_ms);
        figures.proxy_p99_ms = median_of(&with_proxy, |m| m.p99_ms);
        figures.growth_p50 = figures.p50_ms / median_of(&with_small, |m| m.p50_ms);
        figures.fsync_p99_ms = disk::percentile(&syncs, 0.99);
        Ok(())
    }

    /// The same with the national suite, for comparison only: its software is many times slower.
    fn gm(&self, rounds: &Rounds) -> Result<(), String> {
        let sandbox = Sandbox::start(self, Suite::Gm)?;
        self.seed("gm", Suite::Gm, (self.options.people / GROWTH).max(1))?;
        let gateway = Gateway::start(self, &self.programs.gateway, "gm", &sandbox)?;
        let gm = self.load("gateway with suite gm", &gateway.target, 0.0, Some(sandbox.pid()))?;
        let proxy = |what: fn(&Measured) -> f64| median(&each(&rounds.proxy, what));
        eprintln!(
            "suite gm: {:.3} of the proxy's throughput, {:.2} times its CPU",
            gm.per_second / proxy(|m| m.per_second),
            gm.cpu_us / proxy(|m| m.cpu_us),
        );
        Ok(())
    }

    fn load(
        &self,
        name: &str,
        target: &Target,
        rate: f64,
        upstream: Option<u32>,
    ) -> Result<Measured, String> {
        let load = Load {
            connections: self.options.connections,
            seconds: self.options.seconds,
            fields: &self.options.fields,
            rate,
            upstream,
        };
        let measured = load.run(&self.programs.load, &self.cores, target)?;
        eprintln!("  {name:<24} {measured}");
        measured.must_be_right(name)?;
        Ok(measured)
    }
}

impl Rounds {
    /// Each round gives a ratio; the median of them counts.
    fn figures(&self) -> Figures {
        let ratio = |of: &[Measured], to: &[Measured], what: fn(&Measured) -> f64| {
            let ratios: Vec<f64> = of.iter().zip(to).map(|(a, b)| what(a) / what(b)).collect();
            median(&ratios)
        };
        Figures {
            ratio_throughput: ratio(&self.gateway, &self.proxy, |m| m.per_second),
            ratio_cpu: ratio(&self.gateway, &self.proxy, |m| m.cpu_us),
            seal_share: 1.0 - ratio(&self.gateway, &self.unsealed, |m| m.per_second),
            ..Figures::default()
        }
    }
}

fn each(measured: &[Measured], what: impl Fn(&Measured) -> f64) -> Vec<f64> {
    measured.iter().map(what).collect()
}
