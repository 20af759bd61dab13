// SPDX-License-Identifier: Apache-2.0
//
// Runs a Node.js handler as Lambda's managed runtime does: node bootstrap.mjs MODULE.FUNCTION
//
// The Runtime API is spoken over one raw keep-alive socket: Node's own HTTP client would cost several times as much per invocation.
// While a handler runs the socket does not count as pending work, so "the event loop is empty" means what it means on Lambda.

import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const fs = require("node:fs");
const net = require("node:net");
const path = require("node:path");
const { Writable } = require("node:stream");
const { pathToFileURL } = require("node:url");
const { format } = require("node:util");

const env = process.env;
const API = "/2018-06-01/runtime/";
const TASK_ROOT = env.LAMBDA_TASK_ROOT || "/var/task";
const RUNTIME_MAJOR = Number(/^AWS_Lambda_nodejs(\d+)/.exec(env.AWS_EXECUTION_ENV || "")?.[1] || process.versions.node.split(".")[0]);
// From Node.js 24 on, Lambda's client has no callbacks and reports some things differently.
const MODERN = RUNTIME_MAJOR >= 24;
const EXIT_ON_INIT_ERROR = MODERN ? 1 : 129;
const XRAY_CAUSE_MAX = 1024 * 1024;

const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");
const HIGH_WATER_MARK = Symbol.for("aws.lambda.runtime.handler.streaming.highWaterMark");

// ---- errors ------------------------------------------------------------------------------------------------------------------

function named(name, message, stack) {
  const error = new Error(message);
  error.name = name;
  if (stack) error.stack = stack;
  return error;
}

const isError = (e) => e instanceof Error || Object.prototype.toString.call(e) === "[object Error]";

// The error as the caller gets it. DEL may not stand in a header, and the type goes into one.
function shape(error) {
  const clean = (text) => (text === undefined || text === null ? text : String(text).replaceAll("\x7f", "%7F"));
  try {
    if (!isError(error)) return { errorType: typeof error, errorMessage: String(error), trace: [] };
    const stack = clean(error.stack);
    return { errorType: clean(error.name), errorMessage: clean(error.message), trace: stack ? stack.split("\n") : [] };
  } catch {
    const message = "callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack";
    return { errorType: "handled", errorMessage: message, trace: [] };
  }
}

function frameOf(line) {
  const match = /^\s*at (?:(.*) \()?(.*?):(\d+)(?::\d+)?\)?$/.exec(line);
  return match ? { path: match[2], line: Number(match[3]), label: match[1] || "anonymous" } : null;
}

function xrayCause(error) {
  const { errorType, errorMessage, trace } = shape(error);
  const stack = trace.slice(1).map(frameOf).filter(Boolean);
  const cause = {
    working_directory: process.cwd(),
    exceptions: [{ type: errorType, message: errorMessage, stack }],
    paths: [...new Set(stack.map((frame) => frame.path))],
  };
  return asciiJson(cause);
}

// Headers are bytes; escapes keep every character in ASCII.
function asciiJson(value) {
  return JSON.stringify(value).replace(/[\x7f-\uffff]/g, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
}

// ---- console -------------------------------------------------------------------------------------------------------------------

const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
const JSON_LOGS = env.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === "JSON";
const MIN_LEVEL = Math.max(0, LEVELS.indexOf(env.AWS_LAMBDA_LOG_LEVEL?.toUpperCase()));
let requestId = MODERN ? "-" : undefined;
let tenantId;

// Written at once and in whole lines: a frozen process would keep what is still queued.
function writeLine(text) {
  const bytes = Buffer.from(text + "\n");
  for (let done = 0; done < bytes.length; ) {
    try {
      done += fs.writeSync(1, bytes, done);
    } catch (e) {
      if (e.code !== "EAGAIN") throw e;
    }
  }
}

function errorFields(_key, value) {
  if (!isError(value)) return value;
  const stackTrace = typeof value.stack === "string" ? value.stack.split("\n") : value.stack;
  return { errorType: value.constructor?.name ?? "UnknownError", errorMessage: value.message, stackTrace, ...value };
}

function jsonLine(level, args) {
  const line = { timestamp: new Date().toISOString(), level, requestId };
  if (tenantId) line.tenantId = tenantId;
  if (args.length === 1) {
    try {
      return JSON.stringify({ ...line, message: args[0] }, errorFields);
    } catch {
      return JSON.stringify({ ...line, message: format(args[0]) });
    }
  }
  line.message = format(...args);
  const error = args.find(isError);
  if (error) {
    const { errorType, errorMessage, stackTrace } = errorFields("", error);
    Object.assign(line, { errorType, errorMessage, stackTrace });
  }
  return JSON.stringify(line);
}

function patchConsole() {
  for (const [index, level] of LEVELS.entries()) {
    const text = (...args) => writeLine([new Date().toISOString(), String(requestId), level, format(...args)].join("\t").replace(/\n/g, "\r"));
    const json = (...args) => writeLine(jsonLine(level, args));
    console[level.toLowerCase()] = index < MIN_LEVEL ? () => {} : JSON_LOGS ? json : text;
  }
  console.log = console.info;
}

// An error with everything that hangs on it, after the words that say where it came from.
function logError(words, error) {
  const e = isError(error) ? error : new Error(String(error));
  if (JSON_LOGS) return console.error(e);
  const flat = (_key, v) =>
    isError(v) ? { errorType: v.name, errorMessage: v.message, code: v.code, ...v, stack: typeof v.stack === "string" ? v.stack.split("\n") : v.stack } : v;
  let text;
  try {
    text = JSON.stringify(e, flat);
  } catch {
    text = JSON.stringify(shape(e));
  }
  console.error(words, "\t" + text);
}

// ---- one connection to the Runtime API -----------------------------------------------------------------------------------------------

class Connection {
  constructor(address) {
    const colon = address.lastIndexOf(":");
    this.host = address.slice(0, colon);
    this.port = Number(address.slice(colon + 1));
    this.common = ` HTTP/1.1\r\nHost: ${address}\r\nUser-Agent: lambdafit-nodejs/${process.versions.node}\r\n`;
    this.nextRequest = `GET ${API}invocation/next${this.common}`;
    this.socket = null;
    this.waiting = null; // of the answer that is expected
    this.chunks = [];
    this.size = 0;
    this.head = null;
  }

  connect() {
    const socket = net.connect({ host: this.host, port: this.port, noDelay: true });
    socket.setNoDelay(true); // the option came later than Node.js 16
    socket.on("data", (data) => this.received(data));
    socket.on("error", (e) => this.lost(socket, e));
    socket.on("close", () => this.lost(socket, Object.assign(new Error("the Runtime API closed the connection"), { code: "ECONNRESET" })));
    this.socket = socket;
    this.chunks = [];
    this.size = 0;
    this.head = null;
  }

  lost(socket, error) {
    if (this.socket !== socket) return;
    this.socket = null;
    socket.destroy();
    const waiting = this.waiting;
    this.waiting = null;
    waiting?.reject(error);
  }

  received(data) {
    this.chunks.push(data);
    this.size += data.length;
    if (!this.head && !this.parseHead()) return;
    const body = this.head.chunked ? this.chunkedBody() : this.plainBody();
    if (body === null) return;
    const answer = { status: this.head.status, headers: this.head.headers, body };
    const waiting = this.waiting;
    const close = this.head.headers["connection"]?.toLowerCase() === "close";
    this.waiting = null;
    this.head = null;
    this.chunks = [];
    this.size = 0;
    if (close) {
      const socket = this.socket;
      this.socket = null;
      socket.destroy();
    } else {
      this.socket.unref();
    }
    waiting?.resolve(answer);
  }

  joined() {
    if (this.chunks.length > 1) this.chunks = [Buffer.concat(this.chunks, this.size)];
    return this.chunks[0];
  }

  parseHead() {
    const data = this.joined();
    const end = data.indexOf("\r\n\r\n");
    if (end < 0) return false;
    const lines = data.toString("utf8", 0, end).split("\r\n");
    const headers = {};
    for (let i = 1; i < lines.length; i++) {
      const colon = lines[i].indexOf(":");
      headers[lines[i].slice(0, colon).toLowerCase()] = lines[i].slice(colon + 1).trim();
    }
    const status = Number(lines[0].split(" ", 2)[1]);
    this.head = { status, headers, start: end + 4, length: Number(headers["content-length"] || 0), chunked: /chunked/i.test(headers["transfer-encoding"] || "") };
    return true;
  }

  plainBody() {
    const { start, length } = this.head;
    return this.size < start + length ? null : this.joined().subarray(start, start + length);
  }

  chunkedBody() {
    const data = this.joined();
    const parts = [];
    for (let at = this.head.start; ; ) {
      const end = data.indexOf("\r\n", at);
      if (end < 0) return null;
      const size = parseInt(data.toString("latin1", at, end), 16);
      if (size === 0) return data.indexOf("\r\n\r\n", end) < 0 ? null : Buffer.concat(parts);
      if (data.length < end + 2 + size + 2) return null;
      parts.push(data.subarray(end + 2, end + 2 + size));
      at = end + 2 + size + 2;
    }
  }

  answer() {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.socket.ref();
    });
  }

  // A connection that was closed while idle is opened again, once.
  async exchange(head, body) {
    for (let fresh = !this.socket; ; fresh = true) {
      if (!this.socket) this.connect();
      const answer = this.answer();
      if (body === undefined || body.length === 0) {
        this.socket.write(head, "utf8");
      } else {
        this.socket.cork();
        this.socket.write(head, "utf8");
        this.socket.write(body);
        this.socket.uncork();
      }
      try {
        return await answer;
      } catch (e) {
        if (fresh) throw e;
      }
    }
  }

  async next() {
    const { status, headers, body } = await this.exchange(`${this.nextRequest}${leftBehind()}\r\n`);
    if (status < 200 || status > 299) throw named("Runtime.PlatformError", `The Runtime API refused the request for the next event: HTTP status ${status}`);
    return { headers, body };
  }

  async post(where, text, headers) {
    const body = Buffer.from(text);
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const head = `POST ${API}${where}${this.common}Content-Length: ${body.length}\r\n${lines.join("")}\r\n`;
    return (await this.exchange(head, body)).status;
  }

  // Begins a chunked POST; its pieces follow with sendChunk, its end with endChunks.
  begin(where, headers) {
    if (!this.socket) this.connect();
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
    const answer = this.answer();
    this.socket.write(`POST ${API}${where}${this.common}Transfer-Encoding: chunked\r\n${lines.join("")}\r\n`);
    return answer;
  }

  sendChunk(bytes, done) {
    if (!this.socket) return done(new Error("the Runtime API closed the connection"));
    if (bytes.length === 0) return done();
    this.socket.cork();
    this.socket.write(bytes.length.toString(16) + "\r\n");
    this.socket.write(bytes);
    this.socket.write("\r\n", done);
    this.socket.uncork();
  }

  endChunks(trailers) {
    this.socket?.write("0\r\n" + trailers.map(([name, value]) => `${name}: ${value}\r\n`).join("") + "\r\n");
  }
}

// ---- finding the handler ----------------------------------------------------------------------------------------------------------------

function parseHandler(name) {
  if (name.includes("..")) {
    throw named("Runtime.MalformedHandlerName", `'${name}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`);
  }
  const base = path.basename(name);
  const match = /^([^.]*)\.(.*)$/.exec(base);
  if (!match) throw named("Runtime.MalformedHandlerName", "Bad handler");
  return { folder: name.slice(0, name.length - base.length), module: match[1], functions: match[2] };
}

const isFile = (file) => fs.statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;

async function loadFile(file) {
  if (file.endsWith(".mjs")) return import(pathToFileURL(file));
  try {
    return createRequire(file)(file);
  } catch (e) {
    // A module of the new kind: named .js in a package of that type, or waiting at its top level.
    if (e?.code === "ERR_REQUIRE_ESM" || e?.code === "ERR_REQUIRE_ASYNC_MODULE") return import(pathToFileURL(file));
    throw e;
  }
}

async function loadModule({ folder, module }) {
  const file = path.resolve(TASK_ROOT, folder, module);
  try {
    for (const ending of ["", ".js", ".mjs", ".cjs"]) {
      if (isFile(file + ending)) return await loadFile(file + ending);
    }
    const root = createRequire(path.join(TASK_ROOT, "index.js"));
    return root(root.resolve(module, { paths: [TASK_ROOT, path.resolve(TASK_ROOT, folder)] }));
  } catch (e) {
    if (e instanceof SyntaxError) throw named("Runtime.UserCodeSyntaxError", String(e), e.stack);
    if (e?.code === "MODULE_NOT_FOUND" || e?.code === "ERR_MODULE_NOT_FOUND") throw named("Runtime.ImportModuleError", String(e));
    throw e;
  }
}

async function loadHandler(name) {
  const parsed = parseHandler(name);
  const module = await loadModule(parsed);
  const find = (from) => parsed.functions.split(".").reduce((o, key) => (o === null || o === undefined ? undefined : o[key]), from);
  const handler = find(module) ?? find(module?.default);
  if (!handler) throw named("Runtime.HandlerNotFound", `${name} is undefined or not exported`);
  if (typeof handler !== "function") throw named("Runtime.HandlerNotFound", `${name} is not a function`);
  const streaming = handler[STREAMING];
  if (streaming && streaming !== "response") throw named("Runtime.MalformedStreamingHandler", "Only response streaming is supported.");
  if (MODERN && !streaming && handler.length >= 3) {
    throw named("Runtime.CallbackHandlerDeprecated", "ERROR: handlers that take a callback are not supported from Node.js 24 on. Return a promise instead, for example from an async function.");
  }
  return handler;
}

// ---- streaming -------------------------------------------------------------------------------------------------------------------------------

const HTTP_PRELUDE_TYPE = "application/vnd.awslambda.http-integration-response";

class ResponseStream extends Writable {
  constructor(connection, where, extra, highWaterMark) {
    super(highWaterMark ? { highWaterMark } : {});
    this.connection = connection;
    this.where = where;
    this.extra = extra;
    this.contentType = "application/octet-stream";
    this.answer = null;
    this._onBeforeFirstWrite = undefined; // set by HttpResponseStream.from
  }

  setContentType(type) {
    if (this.answer) throw named("Runtime.InvalidStreamingOperation", "Cannot set content-type, too late.");
    this.contentType = type;
  }

  write(chunk, encoding, done) {
    const plain = typeof chunk === "string" || Buffer.isBuffer(chunk) || chunk instanceof Uint8Array;
    return super.write(plain ? chunk : JSON.stringify(chunk), encoding, done);
  }

  open() {
    if (this.answer) return;
    this.answer = this.connection.begin(this.where, [
      ["Content-Type", this.contentType],
      ["Lambda-Runtime-Function-Response-Mode", "streaming"],
      ["Trailer", "Lambda-Runtime-Function-Error-Type"],
      ["Trailer", "Lambda-Runtime-Function-Error-Body"],
      ...this.extra,
    ]);
    this.answer.catch(() => {}); // looked at when the stream has ended
    this._onBeforeFirstWrite?.((piece) => this.connection.sendChunk(Buffer.from(piece), () => {}));
  }

  _write(chunk, _encoding, done) {
    this.open();
    this.connection.sendChunk(chunk, done);
  }

  _final(done) {
    this.open();
    this.connection.endChunks([]);
    done();
  }

  // Ends a stream whose handler failed: what was sent stands, the trailers tell.
  fail(error) {
    const shown = shape(error);
    this.open();
    if (!this.writableFinished) {
      this.connection.endChunks([
        ["Lambda-Runtime-Function-Error-Type", shown.errorType],
        ["Lambda-Runtime-Function-Error-Body", Buffer.from(JSON.stringify(shown)).toString("base64")],
      ]);
    }
    this.destroy();
  }
}

const HttpResponseStream = {
  from(stream, prelude) {
    stream.setContentType(HTTP_PRELUDE_TYPE);
    stream._onBeforeFirstWrite = (write) => {
      write(JSON.stringify(prelude));
      write(new Uint8Array(8));
    };
    return stream;
  },
};

function setGlobals() {
  if (["1", "true"].includes(env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA)) return;
  globalThis.awslambda = {
    ...globalThis.awslambda,
    HttpResponseStream,
    streamifyResponse(handler, options) {
      handler[STREAMING] = "response";
      if (typeof options?.highWaterMark === "number") handler[HIGH_WATER_MARK] = Math.trunc(options.highWaterMark);
      return handler;
    },
  };
}

// ---- one invocation -----------------------------------------------------------------------------------------------------------------------------

function jsonHeader(headers, name) {
  if (!headers[name]) return undefined;
  try {
    return JSON.parse(headers[name]);
  } catch (e) {
    throw named("Runtime.PlatformError", `Failed to parse ${name} as JSON: ${e.message}`);
  }
}

function buildContext(headers) {
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  return {
    clientContext: jsonHeader(headers, "lambda-runtime-client-context"),
    identity: jsonHeader(headers, "lambda-runtime-cognito-identity"),
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    tenantId: headers["lambda-runtime-aws-tenant-id"],
    getRemainingTimeInMillis: () => deadline - Date.now(),
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
  };
}

function serialise(value) {
  try {
    return JSON.stringify(value === undefined ? null : value) ?? "null";
  } catch {
    throw named("Runtime.JSONStringifyError", "Unable to stringify response body");
  }
}

// What "nothing is left to do" means for the invocation that runs; the event loop calls it when it is empty.
let whenIdle = null;

// The handler's result, by promise or by callback, whichever it uses.
function callHandler(handler, event, context) {
  if (MODERN) return Promise.resolve(handler(event, context));
  return new Promise((resolve, reject) => {
    let settled = false;
    let waits = true;
    const settle = (error, value) => {
      if (settled) return;
      settled = true;
      const act = () => (error !== undefined && error !== null ? reject(error) : resolve(value));
      if (waits && (error === undefined || error === null)) whenIdle = act;
      else act();
    };
    Object.defineProperty(context, "callbackWaitsForEmptyEventLoop", { get: () => waits, set: (v) => (waits = Boolean(v)), enumerable: true });
    context.succeed = (value) => ((waits = false), settle(null, value));
    context.fail = (error) => ((waits = false), settle(error ?? "handled"));
    context.done = (error, value) => ((waits = false), settle(error, value));
    // An empty event loop ends the invocation: on Lambda the answer of a handler that never answers is null.
    whenIdle = () => {
      settled = true;
      resolve(null);
    };
    const result = handler(event, context, settle);
    if (typeof result?.then === "function") {
      waits = false;
      result.then((value) => settle(null, value), (error) => ((settled = true), reject(error)));
    }
  });
}

// ---- what a handler leaves behind -------------------------------------------------------------------------------------------------------------

// Timers and requests that the handler began and did not wait for stand still with the environment. No kernel shows them, so the daemon is told
// with the next request for an event, a moment after the response. What is only there to give something up in time (a timer that rejects, aborts
// or closes) is no work, nor is one that settles a promise: that may be the loser of a race. Sockets do not count, since clients keep them for the
// next invocation, nor do files, since streams close theirs by themselves.
const REQUEST = /^(GetAddrInfo|GetNameInfo|Query|UDPSend)|ConnectWrap$/;
const GUARD = /reject|resolve|abort|cancel|error|time.?out|close|destroy|end\(|kill|throw|unref|\[native code\]|=>\s*\{?\s*(return\s+)?\w{1,3}\(/i;
const TIMERS_MAX = 1000;
let timers = new Set(); // that a handler has set
let answered = false; // by a response
let underWay = { requests: 0, callbacks: 0 }; // when the last event was asked for: of init, or left by earlier handlers

function watchTimers() {
  const { setTimeout: original } = globalThis;
  globalThis.setTimeout = Object.defineProperties(function setTimeout(callback, ...rest) {
    const timer = original(callback, ...rest);
    if (running && timers.size < TIMERS_MAX) timers.add(timer);
    return timer;
  }, Object.getOwnPropertyDescriptors(original));
}

const isWork = (timer) => !timer._destroyed && timer.hasRef() && typeof timer._onTimeout === "function" && !GUARD.test(timer._onTimeout);
const counted = (n, what) => (n > 0 ? [`${n} ${what}${n > 1 ? "s" : ""}`] : []);

// A header for the next request, or nothing.
function leftBehind() {
  let waiting = 0;
  const now = { requests: 0, callbacks: 0 };
  for (const name of process.getActiveResourcesInfo?.() ?? []) {
    if (name === "Immediate") now.callbacks++;
    else if (REQUEST.test(name)) now.requests++;
  }
  for (const timer of timers) if (isWork(timer)) waiting++;
  const parts = answered ? [...counted(waiting, "timer"), ...counted(now.requests - underWay.requests, "request"), ...counted(now.callbacks - underWay.callbacks, "callback")] : [];
  if (timers.size) timers = new Set();
  answered = false;
  underWay = now;
  return parts.length ? `Lambdafit-Left-Behind: ${parts.join(" and ")}\r\n` : "";
}

let connection;
let running = null; // the invocation that an unexpected end must be reported for

async function reportError(invocation, error) {
  const headers = { "Content-Type": "application/json", ...invocation.echo };
  const cause = xrayCause(error);
  if (cause.length < XRAY_CAUSE_MAX) headers["Lambda-Runtime-Function-XRay-Error-Cause"] = cause;
  await connection.post(`invocation/${invocation.id}/error`, JSON.stringify(shape(error)), headers);
}

async function serveBuffered(invocation, handler, event, context) {
  let text;
  try {
    text = serialise(await callHandler(handler, event, context));
  } catch (error) {
    whenIdle = null;
    running = null;
    logError("Invoke Error", error);
    return reportError(invocation, error);
  }
  whenIdle = null;
  running = null;
  answered = true;
  // Any status: Lambda's client goes on too when an answer is refused, for example as too large.
  await connection.post(`invocation/${invocation.id}/response`, text, { "Content-Type": "application/json", ...invocation.echo });
}

async function serveStream(invocation, handler, event, context) {
  const stream = new ResponseStream(connection, `invocation/${invocation.id}/response`, Object.entries(invocation.echo), handler[HIGH_WATER_MARK]);
  stream.on("error", () => {});
  try {
    const result = handler(event, stream, context);
    if (typeof result?.then !== "function") throw new Error("Streaming does not support non-async handlers.");
    if ((await result) !== undefined) console.warn("Streaming handlers ignore return values.");
    if (!stream.writableEnded) throw new Error("Response stream is not finished.");
  } catch (error) {
    logError("Invoke Error", error);
    stream.fail(error);
  }
  running = null;
  await new Promise((resolve) => (stream.writableFinished || stream.destroyed ? resolve() : stream.once("close", resolve)));
  await stream.answer;
}

async function serveOne(handler) {
  const { headers, body } = await connection.next();
  requestId = headers["lambda-runtime-aws-request-id"];
  tenantId = headers["lambda-runtime-aws-tenant-id"];
  const trace = headers["lambda-runtime-trace-id"];
  if (trace) env._X_AMZN_TRACE_ID = trace;
  else delete env._X_AMZN_TRACE_ID;
  const attempt = headers["lambda-runtime-invocation-id"];
  const invocation = { id: requestId, echo: attempt ? { "Lambda-Runtime-Invocation-Id": attempt } : {} };
  running = invocation;
  let event, context;
  try {
    context = buildContext(headers);
    event = JSON.parse(body.toString("utf8"));
  } catch (error) {
    running = null;
    logError("Invoke Error", error);
    return reportError(invocation, error);
  }
  return handler[STREAMING] ? serveStream(invocation, handler, event, context) : serveBuffered(invocation, handler, event, context);
}

// ---- the end of the process -----------------------------------------------------------------------------------------------------------------------

async function reportInitError(error) {
  const shown = shape(error);
  await connection.post("init/error", JSON.stringify(shown), { "Content-Type": "application/json", "Lambda-Runtime-Function-Error-Type": shown.errorType });
}

// What nobody caught ends the process, once it is told.
async function die(words, error, status) {
  logError(words, error);
  const invocation = running;
  running = null;
  try {
    if (invocation) await reportError(invocation, error);
    else if (!started) await reportInitError(error);
  } finally {
    process.exit(status);
  }
}

let started = false;

function watchProcess() {
  process.on("uncaughtException", (error) => die("Uncaught Exception", error, 129));
  process.on("unhandledRejection", (reason) => {
    const error = named("Runtime.UnhandledPromiseRejection", isError(reason) ? reason.toString() : String(reason));
    error.reason = reason;
    die("Unhandled Promise Rejection", error, 128);
  });
  process.on("beforeExit", () => {
    const act = whenIdle;
    whenIdle = null;
    act?.();
  });
}

async function main() {
  const name = process.argv[2] || env._HANDLER;
  connection = new Connection(env.AWS_LAMBDA_RUNTIME_API);
  setGlobals();
  patchConsole();
  watchTimers();
  watchProcess();
  let handler;
  try {
    handler = await loadHandler(name);
  } catch (error) {
    logError(MODERN ? "Init Error" : "Uncaught Exception", error);
    started = true;
    await reportInitError(error);
    process.exit(EXIT_ON_INIT_ERROR);
  }
  started = true;
  for (;;) await serveOne(handler);
}

main();
