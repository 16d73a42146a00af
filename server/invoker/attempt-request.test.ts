import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import { IdentityVerifier } from "../../sdk/endpoint/identity.ts";
import type { StateEntry } from "../../sdk/protocol/messages.ts";
import { attemptSpanId, type TraceContext } from "../base/trace.ts";
import type { Instance, Invocation } from "../machine/invocation.ts";
import type { AttemptsOptions } from "./attempts.ts";
import { type FakeExchange, inWorld, start, startOf } from "./attempts.suite.ts";
import { COUNTER, deployment, type FakeDoor, invocationId, text } from "./fixtures.suite.ts";
import { RequestIdentity } from "./request-identity.ts";

const WORKFLOW = {
  ...COUNTER,
  name: "Flow",
  ty: "WORKFLOW",
  handlers: [{ name: "run", ty: "WORKFLOW" }, { name: "status" }],
} as const;
const OFFERED = deployment({ maxProtocolVersion: 7, services: [COUNTER, WORKFLOW] });

const on = (handler: string, key = "k", service = "Counter"): Partial<Invocation> => ({
  target: { service, handler, key },
  kind: "exclusive",
});

interface Begun {
  readonly exchange: FakeExchange;
  readonly headers: Readonly<Record<string, string>>;
  /** Whose state was read, and how much of it was asked for. */
  readonly reads: readonly [Instance, number][];
}

/** The request of an attempt of this invocation, on an instance with this state. */
async function begun(
  over: Partial<Invocation>,
  options: Partial<AttemptsOptions> & {
    readonly state?: FakeDoor["state"];
    readonly on?: typeof OFFERED;
    readonly isDurable?: boolean;
  } = {},
): Promise<Begun> {
  const {
    state = () => ({ entries: [], isComplete: true }),
    on: where = OFFERED,
    isDurable = true,
    ...rest
  } = options;
  const reads: [Instance, number][] = [];
  let exchange: FakeExchange | undefined;
  await inWorld(
    rest,
    ({ door, transport, attempts }) => {
      door.isDurable = isDurable;
      door.state = (instance, bytesMax) => {
        reads.push([instance, bytesMax]);
        return state(instance, bytesMax);
      };
      door.add(1, { epoch: 2, ...over });
      attempts.start(start(1, { epoch: 2 }));
      exchange = transport.at(0);
    },
    [where],
  );
  assert(exchange !== undefined);
  return { exchange, headers: exchange.request.headers, reads };
}

const entry = (name: string, value: string): StateEntry => ({
  key: text(name),
  value: text(value),
});

describe("an attempt on an object or a workflow", () => {
  it("names its key, in the header percent-encoded", async () => {
    const { exchange, headers } = await begun(on("add", "a bé/\ud800"));
    assert.equal(startOf(exchange).key, "a bé/\ufffd");
    assert.equal(headers["x-restate-service-key"], "a%20b%C3%A9%2F%EF%BF%BD");
    assert.equal((await begun(on("add", ""))).headers["x-restate-service-key"], "");
  });

  it("names a key that is too long for a header in Start alone", async () => {
    const key = "é".repeat(1000);
    const { exchange, headers } = await begun(on("add", key));
    assert.equal(startOf(exchange).key, key);
    assert.equal(headers["x-restate-service-key"], undefined);
  });

  it("is told its whole state", async () => {
    const entries = [entry("a", "1"), entry("b", "")];
    for (const kind of ["exclusive", "shared", "run", "workflow-shared"] as const) {
      const [service, handler] =
        kind.startsWith("w") || kind === "run" ? ["Flow", "run"] : ["Counter", "get"];
      const { exchange, reads } = await begun(
        { target: { service, handler, key: "k" }, kind },
        { state: () => ({ entries, isComplete: true }), eagerStateBytesMax: 77 },
      );
      const { state, partialState } = startOf(exchange);
      assert.deepEqual(
        state.map(({ key, value }) => [Buffer.from(key).toString(), Buffer.from(value).toString()]),
        [
          ["a", "1"],
          ["b", ""],
        ],
      );
      assert.equal(partialState, false);
      assert.deepEqual(reads, [[{ service, key: "k" }, 77]]);
    }
  });

  it("is told no state that could still be lost, unless only it can have written it", async () => {
    const state = () => ({ entries: [entry("a", "1")], isComplete: true });
    const shared = {
      target: { service: "Counter", handler: "get", key: "k" },
      kind: "shared",
    } as const;
    const asks = startOf((await begun(shared, { state, isDurable: false })).exchange);
    assert.deepEqual([asks.state.length, asks.partialState], [0, true]);
    const exclusive = startOf((await begun(on("add"), { state, isDurable: false })).exchange);
    assert.deepEqual([exclusive.state.length, exclusive.partialState], [1, false]);
  });

  it("is told that there may be more where all together is too much", async () => {
    const state = () => ({ entries: [entry("a", "1")], isComplete: false });
    const message = startOf((await begun(on("add"), { state })).exchange);
    assert.deepEqual([message.state.length, message.partialState], [1, true]);
  });

  it("is never told more than one message holds", async () => {
    const value = new Uint8Array(8 * 1024 * 1024);
    const entries = Array.from({ length: 5 }, (_, index) => ({ key: text(`${index}`), value }));
    const state = () => ({ entries, isComplete: true });
    const message = startOf((await begun(on("add"), { state })).exchange);
    assert.deepEqual([message.state.length, message.partialState], [3, true]);
  });

  it("is told nothing where its state is lazy, by handler or by service", async () => {
    const lazyService = { ...COUNTER, enableLazyState: true };
    const eagerHandler = { name: "eager", enableLazyState: false };
    const lazy = deployment({
      services: [{ ...lazyService, handlers: [...COUNTER.handlers, eagerHandler] }],
    });
    const state = () => ({ entries: [entry("a", "1")], isComplete: true });
    for (const [handler, where, isLazy] of [
      ["lazy", OFFERED, true],
      ["add", OFFERED, false],
      ["add", lazy, true],
      ["eager", lazy, false],
    ] as const) {
      const { exchange, reads } = await begun(on(handler), { state, on: where });
      const message = startOf(exchange);
      const expected = isLazy ? [0, true, 0] : [1, false, 1];
      assert.deepEqual([message.state.length, message.partialState, reads.length], expected);
    }
  });
});

describe("an attempt in V7", () => {
  it("is told the idempotency key where there is one", async () => {
    const over = { ...on("add"), idempotencyKey: "once" };
    for (const [protocolVersionMax, idempotencyKey, expected] of [
      [7, "once", "once"],
      [7, "", ""],
      [7, null, undefined],
      [6, "once", undefined],
    ] as const) {
      const { exchange } = await begun({ ...over, idempotencyKey }, { protocolVersionMax });
      assert.equal(startOf(exchange).idempotencyKey, expected);
    }
  });
});

describe("an attempt that is traced", () => {
  const trace: TraceContext = {
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
    flags: "01",
    state: "vendor=1",
  };

  it("passes the context on, with itself as the parent", async () => {
    const { headers } = await begun({ ...on("add"), trace });
    const spanId = attemptSpanId(invocationId(1), 2);
    assert.equal(headers["traceparent"], `00-${trace.traceId}-${spanId}-01`);
    assert.equal(headers["tracestate"], "vendor=1");
  });

  it("leaves out what is not there or could not be sent", async () => {
    for (const state of [null, "a=\u00e9"]) {
      const { headers } = await begun({ ...on("add"), trace: { ...trace, state } });
      assert.match(headers["traceparent"] ?? "", /^00-/);
      assert.equal(headers["tracestate"], undefined);
    }
    const { headers } = await begun(on("add"));
    assert.equal(headers["traceparent"], undefined);
  });
});

describe("an attempt that is signed", () => {
  const { privateKey } = generateKeyPairSync("ed25519");
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const identity = RequestIdentity.fromPem(pem);
  const verifier = new IdentityVerifier([identity.publicKey]);

  function subjectOf(headers: Readonly<Record<string, string>>): unknown {
    const [, claims = ""] = (headers["x-restate-jwt-v1"] ?? "").split(".");
    const parsed: unknown = JSON.parse(Buffer.from(claims, "base64url").toString());
    assert(typeof parsed === "object" && parsed !== null);
    return "sub" in parsed ? parsed.sub : undefined;
  }

  it("is signed for its path below the prefix of the deployment", async () => {
    const where = { ...OFFERED, uri: "http://127.0.0.1:1/some/prefix/?tenant=1" };
    const { exchange, headers } = await begun(on("add", "a bé"), { identity, on: where });
    assert.equal(exchange.request.path, "/some/prefix/invoke/Counter/add?tenant=1");
    const request = {
      path: "/some/prefix/invoke/Counter/add",
      scheme: headers["x-restate-signature-scheme"],
      token: headers["x-restate-jwt-v1"],
    };
    assert(verifier.accepts(request, 1000));
    assert(!verifier.accepts({ ...request, path: "/invoke/Counter/get" }, 1000));
    assert.equal(subjectOf(headers), "a bé");
  });

  it("names no key where there is none, nor one that is too long for a header", async () => {
    const plain = await begun({}, { identity, on: deployment() });
    assert.equal(subjectOf(plain.headers), undefined);
    const long = await begun(on("add", "x".repeat(5000)), { identity });
    assert.equal(subjectOf(long.headers), undefined);
  });

  it("cannot be passed off by the headers of its deployment", async () => {
    const additionalHeaders = { "X-Restate-Signature-Scheme": "unsigned", "x-restate-jwt-v1": "x" };
    const where = { ...OFFERED, additionalHeaders };
    const { headers } = await begun(on("add"), { identity, on: where });
    assert.equal(headers["x-restate-signature-scheme"], "v1");
    assert.notEqual(headers["x-restate-jwt-v1"], "x");
  });
});
