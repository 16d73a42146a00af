/** The official client package as the caller. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import * as clients from "@restatedev/restate-sdk-clients";
import { type Endpoint, loadSdk, serve } from "../endpoint.ts";
import { eventually, Lab } from "./lab.suite.ts";
import { objectOf, type Program, serviceOf, workflowOf, World } from "./program.suite.ts";

type Handler = (context: unknown, program: Program) => Promise<unknown[]>;
type Runs = Readonly<Record<"run", Handler>>;
type Looks = Readonly<Record<"run" | "look", Handler>>;

const SERVICE = { name: "ClientService" } as const;
const OBJECT = { name: "ClientObject" } as const;
const FLOW = { name: "ClientFlow" } as const;

let lab: Lab;
let ingress: clients.Ingress;
let endpoint: Endpoint;
const world = new World();
before(async () => {
  lab = await Lab.start();
  const sdk = await loadSdk("restate");
  const services = [
    serviceOf(sdk, world, SERVICE.name),
    objectOf(sdk, world, OBJECT.name),
    workflowOf(sdk, world, FLOW.name),
  ];
  endpoint = await serve(sdk, services, "h2");
  await lab.register(endpoint);
  ingress = clients.connect({ url: lab.ingress });
});
after(async () => await lab.close());

async function httpError(work: PromiseLike<unknown>): Promise<clients.HttpCallError> {
  try {
    await work;
  } catch (error) {
    assert(error instanceof clients.HttpCallError, String(error));
    return error;
  }
  throw new Error("it worked");
}

describe("the client package", { concurrency: true }, () => {
  it("calls services and objects", async () => {
    assert.deepEqual(await ingress.serviceClient<Runs>(SERVICE).run([["step", "a", { x: 1 }]]), [
      { x: 1 },
    ]);
    const object = ingress.objectClient<Looks>(OBJECT, "é /?");
    assert.deepEqual(await object.run([["set", "a", 1]]), [null]);
    assert.deepEqual(await object.look([["get", "a"]]), [1]);
  });

  it("calls by name, with bytes", async () => {
    const parameter = new TextEncoder().encode('[["step","g",7]]');
    const result = await ingress.call({
      service: SERVICE.name,
      handler: "run",
      parameter: JSON.parse(new TextDecoder().decode(parameter)) as unknown,
      opts: clients.Opts.from({ input: clients.serde.json, output: clients.serde.json } as object),
    });
    assert.deepEqual(result, [7]);
  });

  it("sends, later and once, and fetches the result", async () => {
    const service = ingress.serviceSendClient<Runs>(SERVICE);
    const sent = await service.run(
      [["step", "s", 1]],
      clients.rpc.sendOpts<Program>({ idempotencyKey: "s" }),
    );
    assert.equal(sent.status, "Accepted");
    assert.deepEqual(await ingress.result(sent), [1]);
    const delayed = await service.run(
      [["id"]],
      clients.rpc.sendOpts<Program>({ delay: { milliseconds: 800 } }),
    );
    assert.equal(await lab.status(delayed.invocationId), "scheduled");
    assert.deepEqual((await lab.attach(delayed.invocationId)).json, [delayed.invocationId]);
    const once = clients.rpc.sendOpts<Program>({ idempotencyKey: "once" });
    const first = await service.run([["step", "once"]], once);
    const second = await service.run([["step", "once"]], once);
    assert.deepEqual([first.status, second.status], ["Accepted", "PreviouslyAccepted"]);
    assert.equal(first.invocationId, second.invocationId);
    await ingress.result(second);
    assert.equal(world.times("once"), 1);
  });

  it("calls once with an idempotency key, and passes headers on", async () => {
    const service = ingress.serviceClient<Runs>(SERVICE);
    const opts = clients.rpc.opts<Program, unknown[]>({
      idempotencyKey: "call-once",
      headers: { "x-mine": "yes" },
    });
    const first = await service.run([["headers"]], opts);
    assert.deepEqual(await service.run([["headers"]], opts), first);
    const headers = new Map(first[0] as [string, string][]);
    assert.equal(headers.get("x-mine"), "yes");
    assert.equal(headers.get("content-type"), "application/json");
    assert.equal(headers.has("idempotency-key"), false);
  });

  it("submits workflows, attaches to them, and asks for their output", async () => {
    const flow = ingress.workflowClient<Looks>(FLOW, "one");
    const submitted = await flow.workflowSubmit([["promise", "go"]]);
    assert.equal(submitted.status, "Accepted");
    assert.equal((await flow.workflowSubmit([["id"]])).status, "PreviouslyAccepted");
    assert.equal((await flow.workflowOutput()).ready, false);
    const attached = flow.workflowAttach();
    await flow.look([["resolve", "go", "went"]]);
    assert.deepEqual(await attached, ["went"]);
    const output = await flow.workflowOutput();
    assert.deepEqual([output.ready, output.result], [true, ["went"]]);
    assert.deepEqual(await ingress.result(submitted), ["went"]);
    const unknown = await httpError(ingress.workflowClient<Looks>(FLOW, "nobody").workflowAttach());
    assert.equal(unknown.status, 404);
  });

  it("resolves and rejects awakeables", async () => {
    const waiting = async (name: string) => {
      const sent = await ingress
        .serviceSendClient<Runs>(SERVICE)
        .run([["try", [["awakeable", name]]]]);
      const id = await eventually(() => {
        const found = world.awakeables.get(name);
        assert(found !== undefined);
        return found;
      });
      return { sent, id };
    };
    const good = await waiting("good");
    await ingress.resolveAwakeable(good.id, { x: 1 });
    assert.deepEqual((await lab.attach(good.sent.invocationId)).json, [[{ x: 1 }]]);
    const bad = await waiting("bad");
    await ingress.rejectAwakeable(bad.id, "no");
    assert.deepEqual((await lab.attach(bad.sent.invocationId)).json, [
      { name: "TerminalError", code: 500, message: "no" },
    ]);
    assert.equal((await httpError(ingress.resolveAwakeable("nonsense", 1))).status, 400);
  });

  it("turns what goes wrong into errors with the status", async () => {
    const service = ingress.serviceClient<Runs>(SERVICE);
    const failed = await httpError(service.run([["throw", "teapot", 418, { a: "b" }]]));
    assert.equal(failed.status, 418);
    assert.match(failed.responseText, /teapot/);
    assert.match(failed.responseText, /"a":"b"/);
    const nobody = ingress.serviceClient<Runs>({ name: "Nobody" });
    assert.equal((await httpError(nobody.run([]))).status, 404);
    const wrong = ingress.serviceClient<Runs>(OBJECT);
    assert((await httpError(wrong.run([]))).status >= 400);
  });

  it("retries what the server could not do, not what a handler answered", async () => {
    const name = "client-retries";
    const retrying = clients.connect({
      url: lab.ingress,
      retry: { initialInterval: 10, maxAttempts: 4 },
    });
    const body: Program = [
      ["step", name],
      ["throw", "no", 503],
    ];
    assert.equal((await httpError(retrying.serviceClient<Runs>(SERVICE).run(body))).status, 503);
    assert.equal(world.times(name), 1);
    let requests = 0;
    const flaky = clients.connect({
      url: lab.ingress,
      retry: { initialInterval: 10, maxAttempts: 4 },
      fetch: async (input, init) => {
        requests += 1;
        if (requests < 3) throw new TypeError("the network is down");
        return await fetch(input, init);
      },
    });
    const opts = clients.rpc.opts<Program, unknown[]>({ idempotencyKey: "flaky" });
    assert.deepEqual(await flaky.serviceClient<Runs>(SERVICE).run([["step", "x", 1]], opts), [1]);
    assert.equal(requests, 3);
  });

  it("gives up after its own timeout, which cancels nothing", async () => {
    const opts = clients.rpc.opts<Program, unknown[]>({ timeout: 50, idempotencyKey: "slow" });
    const slow: Program = [
      ["sleep", 250],
      ["step", "slow", "done"],
    ];
    await assert.rejects(async () => await ingress.serviceClient<Runs>(SERVICE).run(slow, opts));
    const patient = clients.rpc.opts<Program, unknown[]>({ idempotencyKey: "slow" });
    assert.deepEqual(await ingress.serviceClient<Runs>(SERVICE).run(slow, patient), [null, "done"]);
    assert.equal(world.times("slow"), 1);
  });
});
