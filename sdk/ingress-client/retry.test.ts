import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { rpc } from "./api.ts";
import { connect } from "./connect.ts";
import { HttpCallError } from "./http.ts";

type Answer = (() => Response) | Error;
const ok = (): Response => new Response('"done"');
const accepted = (): Response => new Response('{"invocationId":"inv_1x","status":"Accepted"}');
const status =
  (code: number, headers: Record<string, string> = {}) =>
  (): Response =>
    new Response("{}", { status: code, headers });
const BROKEN = new TypeError("fetch failed");

/** A client of a server that answers its requests with these, in order. */
function client(...answers: Answer[]) {
  const asked: string[] = [];
  const fetch = (async (url: string) => {
    asked.push(new URL(url).pathname);
    const answer = answers[asked.length - 1];
    if (answer === undefined) return assert.fail("asked once too often");
    if (answer instanceof Error) throw answer;
    return answer();
  }) as typeof globalThis.fetch;
  const retry = { initialInterval: 1, maxInterval: 5 };
  return { asked, ingress: connect({ url: "http://server", fetch, retry }) };
}

interface Greeter {
  greet(ctx: unknown, name: string): Promise<string>;
}
interface Flow {
  run(ctx: unknown): Promise<string>;
}
const GREETER = { name: "Greeter" };
const keyed = rpc.opts<string, string>({ idempotencyKey: "k" });

describe("a request that was not answered", () => {
  it("is made again where a repetition does no harm", async () => {
    const call = client(BROKEN, status(503), status(502), ok);
    assert.equal(await call.ingress.serviceClient<Greeter>(GREETER).greet("a", keyed), "done");
    const submit = client(BROKEN, accepted);
    await submit.ingress.workflowClient<Flow>({ name: "Flow" }, "k").workflowSubmit();
    assert.deepEqual(submit.asked, ["/Flow/k/run/send", "/Flow/k/run/send"]);
    const awakeable = client(status(504), ok);
    await awakeable.ingress.resolveAwakeable("sign_1x", 1);
    const event = client(BROKEN, ok);
    assert.equal((await event.ingress.getEvent("inv_1x", "e"))?.value, "done");
    const message = client(BROKEN, accepted);
    await message.ingress.send("inv_1x", "t", 1, { idempotencyKey: "k" });
  });

  it("is not made again where it might run twice, unless it was not taken", async () => {
    for (const answer of [BROKEN, status(503)]) {
      const { asked, ingress } = client(answer);
      await assert.rejects(Promise.resolve(ingress.serviceClient<Greeter>(GREETER).greet("a")));
      assert.equal(asked.length, 1);
    }
    const message = client(BROKEN);
    await assert.rejects(message.ingress.send("inv_1x", "t", 1));
    const busy = client(status(429, { "retry-after": "1" }), ok);
    assert.equal(await busy.ingress.serviceClient<Greeter>(GREETER).greet("a"), "done");
  });

  it("is not made again when a handler answered", async () => {
    const { ingress } = client(status(503, { "x-restate-error-source": "invocation" }));
    const call = Promise.resolve(ingress.serviceClient<Greeter>(GREETER).greet("a", keyed));
    await assert.rejects(call, (error) => error instanceof HttpCallError && error.status === 503);
  });

  it("fails as it failed last when the attempts are used up", async () => {
    const { asked, ingress } = client(...Array.from({ length: 5 }, () => status(503)));
    const call = Promise.resolve(ingress.serviceClient<Greeter>(GREETER).greet("a", keyed));
    await assert.rejects(call, { status: 503 });
    assert.equal(asked.length, 5);
  });

  it("is given up with its signal or its time", async () => {
    const abort = new AbortController();
    const answers = [
      () => {
        abort.abort(new Error("enough"));
        return status(503)();
      },
    ];
    const opts = rpc.opts<string, string>({ idempotencyKey: "k", signal: abort.signal });
    const { ingress } = client(...answers);
    const call = Promise.resolve(ingress.serviceClient<Greeter>(GREETER).greet("a", opts));
    await assert.rejects(call, /^Error: enough$/);
  });

  it("is not made again where the connection says never", async () => {
    let asked = 0;
    const fetch = (async () => {
      asked += 1;
      throw BROKEN;
    }) as typeof globalThis.fetch;
    const ingress = connect({ url: "http://server", fetch, retry: false });
    await assert.rejects(ingress.getEvent("inv_1x", "e"), BROKEN);
    assert.equal(asked, 1);
  });
});
