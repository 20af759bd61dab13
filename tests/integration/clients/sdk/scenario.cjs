// SPDX-License-Identifier: Apache-2.0
// What a deploy script does with the JavaScript SDK: scenario.cjs ENDPOINT FOLDER prints what it was told, as one JSON object.
"use strict";
const fs = require("fs");
const path = require("path");
const sdk = require("@aws-sdk/client-lambda");

const [endpoint, folder] = process.argv.slice(2);
const client = new sdk.LambdaClient({ endpoint, region: "eu-west-1", credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" } });
const code = (name) => fs.readFileSync(path.join(folder, name));
const send = (name, input) => client.send(new sdk[name + "Command"](input));
const job = (name, input = {}) => send(name, { FunctionName: "job", ...input });
const waiting = { client, minDelay: 1, maxDelay: 1, maxWaitTime: 60 };

async function refused(promise) {
  try {
    await promise;
  } catch (e) {
    return [e.name, e.message, e.$metadata.httpStatusCode];
  }
  return null;
}

async function invoke(input) {
  const r = await job("Invoke", { ...input, Payload: input.event === undefined ? undefined : JSON.stringify(input.event) });
  const body = Buffer.from(r.Payload || []).toString();
  return {
    status: r.StatusCode, error: r.FunctionError || null, version: r.ExecutedVersion, payload: body ? JSON.parse(body) : null,
    tail: r.LogResult ? Buffer.from(r.LogResult, "base64").toString() : null,
  };
}

async function main() {
  const out = { client: "javascript" };
  const create = { Role: "arn:aws:iam::123456789012:role/job", Runtime: "python3.11", Handler: "app.handler", Code: { ZipFile: code("one.zip") } };
  out.created = await job("CreateFunction", { ...create, Timeout: 20, MemorySize: 256, Environment: { Variables: { GREETING: "one" } }, Tags: { team: "tests" } });
  await sdk.waitUntilFunctionActiveV2(waiting, { FunctionName: "job" });
  out.active = await job("GetFunctionConfiguration");
  out.whole = await job("GetFunction");
  out.first = await invoke({ event: { n: 1 }, LogType: "Tail" });
  out.failed = await invoke({ event: { fail: true } });
  out.dry = await invoke({ InvocationType: "DryRun" });
  out.event = await invoke({ InvocationType: "Event", event: { n: 2 } });
  out.again = await refused(job("CreateFunction", create));
  out.missing = await refused(send("GetFunction", { FunctionName: "nobody" }));

  out.update = await job("UpdateFunctionCode", { ZipFile: code("two.zip") });
  await sdk.waitUntilFunctionUpdatedV2(waiting, { FunctionName: "job" });
  out.layer = await send("PublishLayerVersion", { LayerName: "shared", Content: { ZipFile: code("layer.zip") }, CompatibleRuntimes: ["python3.11"], Description: "shared things" });
  out.reconfigured = await job("UpdateFunctionConfiguration", { Layers: [out.layer.LayerVersionArn], Environment: { Variables: { GREETING: "two" } } });
  await sdk.waitUntilFunctionUpdatedV2(waiting, { FunctionName: "job" });
  out.second = await invoke({ event: { n: 3 } });

  out.version = await job("PublishVersion", { Description: "kept" });
  await sdk.waitUntilPublishedVersionActive(waiting, { FunctionName: "job", Qualifier: "1" });
  out.alias = await job("CreateAlias", { Name: "live", FunctionVersion: "1" });
  out.by_alias = await invoke({ Qualifier: "live", event: { n: 4 } });
  out.versions = (await job("ListVersionsByFunction")).Versions.map((v) => v.Version);

  out.reserved = (await job("PutFunctionConcurrency", { ReservedConcurrentExecutions: 5 })).ReservedConcurrentExecutions;
  out.reserved_now = (await job("GetFunctionConcurrency")).ReservedConcurrentExecutions;
  await job("DeleteFunctionConcurrency");
  out.reserved_then = (await job("GetFunctionConcurrency")).ReservedConcurrentExecutions ?? null;
  out.account = await send("GetAccountSettings", {});
  out.listed = [];
  for await (const page of sdk.paginateListFunctions({ client }, {})) out.listed.push(...page.Functions.map((f) => f.FunctionName));
  out.layers = (await send("ListLayers", {})).Layers.map((l) => l.LayerName);
  out.layer_again = await send("GetLayerVersion", { LayerName: "shared", VersionNumber: 1 });
  out.layer_by_arn = (await send("GetLayerVersionByArn", { Arn: out.layer.LayerVersionArn })).Version;
  await send("DeleteLayerVersion", { LayerName: "shared", VersionNumber: 1 });
  out.layer_versions = (await send("ListLayerVersions", { LayerName: "shared" })).LayerVersions;
  out.third = await invoke({ event: { n: 5 } });
  await job("DeleteAlias", { Name: "live" });
  out.deleted = (await job("DeleteFunction")).$metadata.httpStatusCode;
  out.gone = await refused(job("Invoke"));
  console.log(JSON.stringify(out));
}

main().catch((e) => {
  console.error(e);
  process.exit(1);
});
