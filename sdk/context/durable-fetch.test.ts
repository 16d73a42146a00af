import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { FetchOptions } from "../define/fetch.ts";
import { Exchange, type TestHandler } from "../endpoint/exchange.suite.ts";
import { CHILD, input, value } from "../replay/machine.suite.ts";
import { drive, driveReplaying } from "./driven.suite.ts";

const URL_TEXT = "https://pay.example/charge?secret=1";

/** Answers each request with the next of the responses; the last one again and again. */
function server(...responses: (() => Response)[]) {
  const requests: Request[] = [];
  const fetch = (async (request: Request) => {
    requests.push(request);
    const respond = responses[Math.min(requests.length, responses.length) - 1];
    return respond?.() ?? Response.error();
  }) as typeof globalThis.fetch;
  return { requests, fetch };
}

const post =
  (options: FetchOptions, init: RequestInit = { method: "POST", body: "{}" }): TestHandler =>
  async (ctx) => {
    const response = await ctx.fetch(URL_TEXT, init, options);
    return [response.status, response.ok, response.headers.get("x-a"), await response.text()];
  };

const json = (result: unknown) => value(JSON.stringify(result));

describe("ctx.fetch", () => {
  it("is a step that records the answer", async () => {
    const { requests, fetch } = server(
      () => new Response("grüß", { status: 201, headers: { "x-a": "1", "content-length": "9" } }),
    );
    const { steps, result } = await driveReplaying(post({ fetch }));
    assert.deepEqual(steps, ["POST https://pay.example/charge"]);
    assert.deepEqual(result, json([201, true, "1", "grüß"]));
    assert.equal(requests.length, 1);
    assert.equal(await requests[0]?.text(), "{}");
    assert.equal(requests[0]?.headers.get("idempotency-key"), `${CHILD}-1`);
  });

  it("keeps bytes that are no text, and answers without a body", async () => {
    const bytes = Uint8Array.of(0xff, 0, 0x80);
    const { fetch } = server(
      () => new Response(bytes),
      () => new Response(null, { status: 204 }),
    );
    const handler: TestHandler = async (ctx) => {
      const first = await ctx.fetch(URL_TEXT, {}, { fetch });
      const second = await ctx.fetch(URL_TEXT, {}, { fetch, name: "second" });
      return [...new Uint8Array(await first.arrayBuffer()), second.status];
    };
    const { steps, result } = await drive(handler);
    assert.deepEqual(steps, ["GET https://pay.example/charge", "second"]);
    assert.deepEqual(result, json([0xff, 0, 0x80, 204]));
  });

  it("tries again what may pass, when the server says", async () => {
    const headers = { "retry-after": "7" };
    const { fetch } = server(() => new Response("slow down", { status: 429, headers }));
    const exchange = Exchange.replaying(post({ fetch }), [input()]);
    const error = await exchange.expectError(429, /answered 429$/);
    assert.equal(error.nextRetryDelayMs, 7000);
  });

  it("takes other failures for answers, and lets the caller decide which", async () => {
    const { fetch } = server(() => new Response("no", { status: 404 }));
    assert.deepEqual((await drive(post({ fetch }))).result, json([404, false, null, "no"]));
    const busy = server(() => new Response("no", { status: 503 }));
    const answered = await drive(post({ fetch: busy.fetch, retryOn: () => false }));
    assert.deepEqual(answered.result, json([503, false, null, "no"]));
  });

  it("fails for good when its attempts are used up", async () => {
    const { fetch } = server(() => new Response("no", { status: 503 }));
    const { result } = await drive(post({ fetch, maxRetryAttempts: 1 }));
    assert.ok(result.kind === "failure");
    assert.equal(result.failure.code, 503);
  });

  it("leaves a key of the caller alone, and requests that change nothing without one", async () => {
    const { requests, fetch } = server(() => new Response());
    const own = { method: "PUT", headers: { "Idempotency-Key": "mine" } };
    await drive(post({ fetch }, own));
    await drive(post({ fetch }, { method: "get" }));
    await drive(async (ctx) => {
      const request = new Request(URL_TEXT, { method: "POST", body: "b" });
      await ctx.fetch(request, undefined, { fetch });
    });
    const keys = requests.map(({ headers }) => headers.get("idempotency-key"));
    assert.deepEqual(keys, ["mine", null, `${CHILD}-1`]);
  });

  it("ends the request when its time is out", async () => {
    const aborted: string[] = [];
    const fetch = (async (request: Request) =>
      new Promise((_, reject) => {
        request.signal.addEventListener("abort", () => {
          aborted.push(String(request.signal.reason));
          reject(request.signal.reason as Error);
        });
      })) as typeof globalThis.fetch;
    const exchange = Exchange.replaying(post({ fetch, timeout: 5, name: "charge" }), [input()]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await exchange.expectError(408, /^the step 'charge' took longer than its timeout of 5 ms$/);
    assert.equal(aborted.length, 1);
  });
});

describe("a step", () => {
  it("knows a key that is its own and the same in every attempt", async () => {
    const keys: string[] = [];
    const handler: TestHandler = async (ctx) => {
      await ctx.run("a", ({ idempotencyKey }) => void keys.push(idempotencyKey));
      await ctx.sleep(0);
      throw new Error("again");
    };
    const first = Exchange.replaying(handler, [input()]);
    first.closeInput();
    await first.written();
    const second = Exchange.replaying(handler, [input()]);
    second.closeInput();
    await second.written();
    assert.deepEqual(keys, [`${CHILD}-1`, `${CHILD}-1`]);
  });

  it("is told when its attempt is over", async () => {
    let signal: AbortSignal | undefined;
    const exchange = Exchange.replaying(
      async (ctx) =>
        ctx.run("a", async (step) => {
          signal = step.signal;
          return new Promise(() => {});
        }),
      [input()],
    );
    await exchange.written();
    assert.equal(signal?.aborted, false);
    exchange.invocation.onAborted();
    assert.equal(signal?.aborted, true);
  });

  it("may come to its end within its timeout", async () => {
    const handler: TestHandler = async (ctx) =>
      ctx.run("a", async () => Promise.resolve(1), { timeout: { seconds: 60 } });
    assert.deepEqual((await drive(handler)).result, value("1"));
  });
});
