/** Exchanges with functions, through the real AWS SDK, against an Invoke API in this process. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { arnOf, LambdaApi, type LambdaEvent } from "../test/lambda-api.ts";
import { Recorder } from "./endpoints.suite.ts";
import { lambdaEndpoint } from "./endpoint.ts";
import { LambdaInvoker } from "./lambda-client.ts";
import { LambdaTransport } from "./lambda-transport.ts";

const ENVIRONMENT = {
  AWS_ACCESS_KEY_ID: "key",
  AWS_SECRET_ACCESS_KEY: "secret",
};

describe("a function on AWS Lambda", () => {
  let api: LambdaApi;
  let transport: LambdaTransport;

  before(async () => {
    api = await LambdaApi.start();
    Object.assign(process.env, ENVIRONMENT, { AWS_ENDPOINT_URL_LAMBDA: api.url });
    const clock = { nowMs: () => 1_800_000_000_000 };
    transport = new LambdaTransport(new LambdaInvoker({ clock, externalId: null }));
  });
  beforeEach(() => void (api.calls.length = 0));
  after(async () => {
    transport.close();
    await api[Symbol.asyncDispose]();
    for (const name of [...Object.keys(ENVIRONMENT), "AWS_ENDPOINT_URL_LAMBDA"]) {
      delete process.env[name];
    }
  });

  const open = (name: string, body = "hello") => {
    const options = { assumeRoleArn: null, compression: null };
    const recorder = new Recorder();
    const exchange = transport.open(
      {
        endpoint: lambdaEndpoint(arnOf(name), options, {}),
        path: "/invoke/Greeter/greet",
        headers: { "x-a": "1" },
        body: Buffer.from(body),
        bodyComplete: true,
      },
      recorder,
    );
    return { recorder, exchange };
  };

  it("answers", async () => {
    api.functions.set("echo", async (event) => ({
      statusCode: 201,
      headers: { "Content-Type": "a/b", "x-restate-server": "sdk/1", "retry-after": "3" },
      body: (event as LambdaEvent).body,
      isBase64Encoded: true,
    }));
    const { recorder } = open("echo");
    await recorder.closed();
    assert.deepEqual(recorder.heads[0], {
      status: 201,
      contentType: "a/b",
      retryAfter: "3",
      server: "sdk/1",
    });
    assert.equal(recorder.text, "hello");
    assert.equal(api.calls[0]?.qualifier, "1");
    assert.deepEqual(api.calls[0].event.headers, { "x-a": "1" });
  });

  it("that fails has answered, with what it said", async () => {
    api.functions.set("broken", async () => Promise.reject(new TypeError("no such thing")));
    const { recorder } = open("broken");
    await recorder.closed();
    assert.equal(recorder.heads[0]?.status, 500);
    assert.equal(recorder.text, "the function failed: TypeError: no such thing");
  });

  it("that is throttled says when to come again", async () => {
    const message = "Rate Exceeded.";
    const headers = { "retry-after": "2" };
    api.faults.push({ status: 429, type: "TooManyRequestsException", message, headers });
    const { recorder } = open("echo");
    await recorder.closed();
    assert.deepEqual([recorder.heads[0]?.status, recorder.heads[0]?.retryAfter], [429, "2"]);
    assert.equal(api.calls.length, 1, "attempts have their own retries");
  });

  it("is not sent more than Lambda takes", async () => {
    const { recorder } = open("echo", "x".repeat(5 * 1024 * 1024));
    await recorder.closed();
    assert.equal(recorder.heads[0]?.status, 413);
    assert.match(recorder.text, /6 MB/);
  });

  it("that is not there cannot be reached", async () => {
    const { recorder } = open("nobody");
    await recorder.closed();
    assert.equal(recorder.heads[0], undefined);
    assert.match(recorder.error ?? "", /no such function or version/);
    api.faults.push({ status: 403, type: "AccessDeniedException", message: "not authorized" });
    const denied = open("echo").recorder;
    await denied.closed();
    assert.match(denied.error ?? "", /may not invoke it/);
    api.faults.push({ status: 500, type: "ServiceException", message: "sorry" });
    const down = open("echo").recorder;
    await down.closed();
    assert.match(down.error ?? "", /ServiceException/);
  });

  it("that answers nonsense is told apart", async () => {
    api.functions.set("odd", async () => "hello");
    const { recorder } = open("odd");
    await recorder.closed();
    assert.match(recorder.error ?? "", /no response/);
  });

  it("is not waited for when nobody does any more", async () => {
    let isAsked: () => void = () => {};
    const asked = new Promise<void>((resolve) => (isAsked = resolve));
    api.functions.set("slow", async () => {
      isAsked();
      return new Promise(() => {});
    });
    const { recorder, exchange } = open("slow");
    await asked;
    exchange.reset();
    await recorder.closed();
    assert.deepEqual([recorder.heads[0], recorder.error], [undefined, null]);
  });
});
