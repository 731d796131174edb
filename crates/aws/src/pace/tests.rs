use futures::future::join_all;
use proptest::prelude::*;
use tokio::time::{advance, pause};

use super::*;
use crate::rates::{RATES, Rate, Scope};

/// AWS's own bucket, as it is documented.
struct Theirs {
    rate: &'static Rate,
    tokens: f64,
    filled: Instant,
}

impl Theirs {
    fn new(rate: &'static Rate) -> Self {
        Self { rate, tokens: rate.burst, filled: Instant::now() }
    }

    /// Whether a request that arrives now is taken.
    fn takes(&mut self) -> bool {
        let passed = self.filled.elapsed().as_secs_f64();
        self.tokens = self.rate.burst.min(self.tokens + passed * self.rate.per_second);
        self.filled = Instant::now();
        let taken = self.tokens >= 1.0;
        self.tokens -= f64::from(u8::from(taken));
        taken
    }
}

/// Counts what AWS would have refused of the requests that a run sends.
#[derive(Default)]
struct Aws(Mutex<HashMap<BucketName, Theirs>>, Mutex<usize>);

impl Aws {
    fn receive(&self, service: &str, operation: &str) {
        let mut buckets = self.0.lock();
        for (name, rate) in crate::rates::buckets(service, operation) {
            let taken = buckets.entry(name).or_insert_with(|| Theirs::new(rate)).takes();
            *self.1.lock() += usize::from(!taken);
        }
    }

    async fn send(&self, pacer: &Pacer, service: &str, operation: &str) {
        pacer.admit(service, operation).await;
        self.receive(service, operation);
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

proptest! {
    /// Requests of all kinds, at random times, by two runs right after each other: a paused clock, so that only the
    /// arithmetic decides.
    #[test]
    fn two_runs_in_a_row_are_never_refused(
        runs in prop::array::uniform2(prop::collection::vec((0..RATES.len(), 0_u64..3_000), 1..150))
    ) {
        runtime().block_on(async {
            let aws = Aws::default();
            for run in runs {
                let pacer = Pacer::default();
                join_all(run.into_iter().map(|(line, after)| {
                    let (aws, pacer, rate) = (&aws, &pacer, &RATES[line]);
                    async move {
                        sleep(Duration::from_millis(after)).await;
                        let operation = match rate.scope {
                            Scope::Each(named) | Scope::Together(named) => named[after as usize % named.len()],
                            Scope::Service | Scope::Others | Scope::EachOther => ["GetAnything", "PutAnything"][after as usize % 2],
                        };
                        // One burst is one request: a second run has to wait for what the first has used up.
                        if rate.burst >= 2.0 {
                            aws.send(pacer, rate.service, operation).await;
                        }
                    }
                })).await;
            }
            prop_assert_eq!(*aws.1.lock(), 0);
            Ok(())
        })?;
    }
}

#[tokio::test(start_paused = true)]
async fn requests_keep_to_the_rate_of_their_operation_and_to_that_of_the_service() {
    for (operation, number, least, most) in [
        // 16 of the alarms at 3 a second; the rates allow 13 / 3 s.
        (("monitoring", "PutMetricAlarm"), 16, 4.3, 5.7),
        // 40 of the service's burst, and 5 a second of this operation.
        (("apigateway", "CreateResource"), 19, 2.8, 3.7),
        (("apigateway", "PutMethod"), 40, 0.0, 2.2),
        (("dynamodb", "DescribeTable"), 100, 0.0, 0.01),
    ] {
        let (aws, pacer) = (Aws::default(), Pacer::default());
        // A run first reads.
        advance(Duration::from_secs(2)).await;
        let began = Instant::now();
        join_all((0..number).map(|_| aws.send(&pacer, operation.0, operation.1))).await;
        let took = began.elapsed().as_secs_f64();
        assert!((least..=most).contains(&took), "{operation:?}: {took} s");
        assert_eq!(*aws.1.lock(), 0, "{operation:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_slow_operation_keeps_nobody_else_waiting() {
    let (pacer, began) = (Pacer::default(), Instant::now());
    pacer.admit("apigateway", "DeleteRestApi").await;
    let slow = async {
        pacer.admit("apigateway", "DeleteRestApi").await;
        began.elapsed()
    };
    let quick = async {
        pacer.admit("apigateway", "GetStage").await;
        began.elapsed()
    };
    let (slow, quick) = futures::join!(slow, quick);
    assert!(slow > Duration::from_secs(30) && quick.is_zero(), "{slow:?} {quick:?}");
}

#[tokio::test(start_paused = true)]
async fn refusal_slows_all_requests_of_the_operation_until_it_is_forgotten() {
    let time_of_ten = |pacer: Pacer| async move {
        let began = Instant::now();
        join_all((0..10).map(|_| pacer.admit("iam", "GetRole"))).await;
        began.elapsed()
    };
    let (calm, busy) = (Pacer::default(), Pacer::default());
    let usual = time_of_ten(calm).await;
    for _ in 0..30 {
        busy.refused("iam", "GetRole");
        advance(Duration::from_secs(1)).await;
    }
    busy.refused("iam", "GetRole");
    // Requests that were sent together are refused together.
    busy.refused("iam", "GetRole");
    let slow = time_of_ten(busy.clone()).await;
    assert!(slow > usual * 2 && slow < Duration::from_secs(4), "{usual:?} {slow:?}");
    assert!(!busy.admit("iam", "ListRolePolicies").await, "other operations are not concerned");
    advance(Duration::from_secs(30)).await;
    assert_eq!(time_of_ten(busy).await, usual);
}

#[tokio::test]
async fn what_cannot_wait_is_counted() {
    pause();
    let pacer = Pacer::default();
    for _ in 0..10 {
        pacer.count("ssm", "PutParameter");
    }
    let began = Instant::now();
    pacer.admit("ssm", "PutParameter").await;
    assert!(began.elapsed() > Duration::from_secs(2), "{:?}", began.elapsed());
}
