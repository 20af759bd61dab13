// SPDX-License-Identifier: Apache-2.0
//
// A function in Node.js. Its event says what to do; INIT in its environment says how it starts.
import fs from "node:fs";

const INIT = process.env.INIT;
if (INIT === "raise") throw new RangeError("no start");
if (INIT === "exit") process.exit(3);
if (INIT === "hang") await new Promise((r) => setTimeout(r, 3600000));

class NoGood extends Error {
  constructor(text) {
    super(text);
    this.name = "NoGood";
  }
}

let count = 0;

export const handler = async (event, context) => {
  count++;
  switch (event?.do) {
    case "raise":
      throw new NoGood(event.text);
    case "exit":
      return process.exit(event.n);
    case "signal":
      process.kill(process.pid, event.n);
      return new Promise((r) => setTimeout(r, 3600000));
    case "sleep":
      await new Promise((r) => setTimeout(r, event.s * 1000));
      break;
    case "big":
      return "x".repeat(event.n);
    case "print":
      console.log(event.text);
      break;
    case "tmp":
      fs.writeFileSync("/tmp/f", Buffer.alloc(event.n << 20));
      return null;
    case "memory":
      return Buffer.alloc(event.n << 20, 1).length;
    case "client":
      return process.argv[1].includes("aws-lambda-ric");
  }
  return { count, event, id: context.awsRequestId, arn: context.invokedFunctionArn, left: context.getRemainingTimeInMillis(), context: context.clientContext?.custom };
};

const streaming = globalThis.awslambda;
const wait = () => new Promise((r) => setTimeout(r, 20));

export const stream = streaming?.streamifyResponse(async (event, out) => {
  if (event.http) {
    out = streaming.HttpResponseStream.from(out, { statusCode: 201, headers: { "x-one": "1" } });
  } else out.setContentType("text/plain; charset=utf-8");
  out.write("first part, ");
  await wait();
  if (event.break) throw new NoGood("the stream broke");
  out.write("zweiter Teil: \u00fc");
  out.end();
});
