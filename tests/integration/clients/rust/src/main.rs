// SPDX-License-Identifier: Apache-2.0

// A function in Rust on lambda_runtime. Its event says what to do; INIT in its environment says how it starts.
use lambda_runtime::{service_fn, Error, LambdaEvent};
use serde_json::{json, Value};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

static COUNT: AtomicU64 = AtomicU64::new(0);

async fn handle(e: LambdaEvent<Value>) -> Result<Value, Error> {
    let count = COUNT.fetch_add(1, Ordering::SeqCst) + 1;
    let (event, context) = e.into_parts();
    let n = event["n"].as_u64().unwrap_or(0);
    match event["do"].as_str().unwrap_or("") {
        "raise" => return Err(event["text"].as_str().unwrap_or("").into()),
        "panic" => panic!("{}", event["text"].as_str().unwrap_or("")),
        "exit" => std::process::exit(n as i32),
        "sleep" => tokio::time::sleep(Duration::from_millis((event["s"].as_f64().unwrap_or(0.0) * 1000.0) as u64)).await,
        "big" => return Ok(Value::String("x".repeat(n as usize))),
        "print" => println!("{}", event["text"].as_str().unwrap_or("")),
        "tmp" => std::fs::write("/tmp/f", vec![0u8; (n as usize) << 20])?,
        "memory" => return Ok(json!(vec![1u8; (n as usize) << 20].len())),
        _ => {}
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
    Ok(json!({"count": count, "event": event, "id": context.request_id, "arn": context.invoked_function_arn, "left": context.deadline - now}))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    match std::env::var("INIT").unwrap_or_default().as_str() {
        "raise" => panic!("no start"),
        "exit" => std::process::exit(3),
        "hang" => std::thread::sleep(Duration::from_secs(3600)),
        _ => {}
    }
    lambda_runtime::run(service_fn(handle)).await
}
