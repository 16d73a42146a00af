import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { after, before, beforeEach, describe, it } from "node:test";
import { serde } from "../define/serde.ts";
import { type Ingress, rpc } from "./api.ts";
import { connect } from "./connect.ts";
import { HttpCallError } from "./http.ts";

interface Seen {
  readonly request: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

interface Greeter {
  greet(ctx: unknown, name: string): Promise<string>;
  ping(ctx: unknown): Promise<void>;
  fail(ctx: unknown): Promise<void>;
  hang(ctx: unknown): Promise<void>;
}

interface Signup {
  run(ctx: unknown, email: string): Promise<string>;
  confirm(ctx: unknown, code: string): Promise<void>;
}

const SEND = { invocationId: "inv_1x", status: "PreviouslyAccepted", executionTime: "…" };

function answerMessage(
  path: string,
  headers: http.IncomingHttpHeaders,
  response: http.ServerResponse,
): void {
  if (path.includes("/messages/")) response.writeHead(202).end('{"status":"Accepted"}');
  else if (path.includes("/unknown/")) response.writeHead(404).end('{"code":404}');
  else if (path.includes("/none")) response.writeHead(404).end('{"reason":"no-event"}');
  else if (headers["if-none-match"] !== undefined) response.writeHead(304).end();
  else response.writeHead(200, { etag: '"7"' }).end("0.5");
}

describe("a client of the ingress", () => {
  const seen: Seen[] = [];
  let url = "";
  let ingress: Ingress;

  const server = http.createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const { method, url: path = "", headers } = request;
      seen.push({ request: `${method} ${path}`, headers, body });
      if (path.endsWith("/hang")) return;
      if (path.endsWith("/fail")) {
        response.writeHead(418, { "content-type": "application/json" });
        response.end('{"code":418,"message":"nope"}');
      } else if (/\/(messages|events)\//.test(path)) {
        answerMessage(path, headers, response);
      } else if (path.includes("/running/") || path.includes("/gone/")) {
        response.writeHead(path.includes("/gone/") ? 404 : 470).end("{}");
      } else if (path.includes("/send")) {
        response.writeHead(202).end(JSON.stringify(SEND));
      } else if (path.includes("/resolve") || path.includes("/reject")) {
        response.writeHead(202).end();
      } else {
        response.end(path.endsWith("/ping") ? "" : '"Hello"');
      }
    });
  });

  before(async () => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    assert.ok(address !== null && typeof address === "object");
    url = `http://127.0.0.1:${address.port}`;
    ingress = connect({ url: `${url}/`, headers: { authorization: "Bearer x" } });
  });
  beforeEach(() => void (seen.length = 0));
  after(() => {
    server.close();
    server.closeAllConnections();
  });

  const only = (): Seen => {
    const [first, ...others] = seen;
    assert.ok(first !== undefined && others.length === 0, `${seen.length} requests`);
    return first;
  };

  it("calls a handler and reads its result", async () => {
    const greeter = ingress.serviceClient<Greeter>({ name: "Greeter" });
    const opts = rpc.opts<string, string>({ idempotencyKey: "k", headers: { h: "v" } });
    assert.equal(await greeter.greet("Bob", opts), "Hello");
    const { request, headers, body } = only();
    assert.deepEqual([request, body], ["POST /Greeter/greet", '"Bob"']);
    assert.deepEqual(
      ["content-type", "idempotency-key", "h", "authorization"].map((name) => headers[name]),
      ["application/json", "k", "v", "Bearer x"],
    );
  });

  it("calls a handler without argument, also with options", async () => {
    const greeter = ingress.serviceClient<Greeter>({ name: "Greeter" });
    assert.equal(await greeter.ping(), undefined);
    await greeter.ping(rpc.opts({ idempotencyKey: "k" }));
    assert.deepEqual(
      seen.map(({ body, headers }) => [body, headers["idempotency-key"]]),
      [
        ["", undefined],
        ["", "k"],
      ],
    );
  });

  it("sends, now or later, and waits for the result", async () => {
    const greeter = ingress.serviceSendClient<Greeter>({ name: "Greeter" });
    const send = await greeter.greet("Bob", rpc.sendOpts({ delay: { seconds: 1.5 } }));
    const { invocationId, status, attachable } = send;
    assert.deepEqual([invocationId, status, attachable], ["inv_1x", "PreviouslyAccepted", false]);
    const keyed = await greeter.ping(rpc.sendOpts({ idempotencyKey: "k" }));
    assert.equal(keyed.attachable, true);
    assert.equal(await ingress.result(send), "Hello");
    assert.deepEqual(
      seen.map(({ request }) => request),
      [
        "POST /Greeter/greet/send?delay=1500ms",
        "POST /Greeter/ping/send",
        "GET /restate/invocation/inv_1x/attach",
      ],
    );
  });

  it("calls by names, with a key that may hold anything", async () => {
    const opts = rpc.opts<Uint8Array, Uint8Array>({ input: serde.binary, output: serde.binary });
    const parameter = Uint8Array.of(65);
    const answer = await ingress.call({
      service: "O",
      handler: "m",
      key: "a/b ü",
      parameter,
      opts,
    });
    assert.deepEqual(answer, new TextEncoder().encode('"Hello"'));
    const { request, headers, body } = only();
    assert.deepEqual([request, body], ["POST /O/a%2Fb%20%C3%BC/m", "A"]);
    assert.equal(headers["content-type"], "application/octet-stream");
    await ingress.send({ service: "O", handler: "m", key: "", parameter: 1 });
    assert.equal(seen[1]?.request, "POST /O//m/send");
  });

  it("calls and sends to objects and workflows by their keys", async () => {
    const key = "a/b ü";
    await ingress.objectClient<Greeter>({ name: "O" }, key).greet("Bob");
    await ingress.objectSendClient<Greeter>({ name: "O" }, "k").ping(rpc.sendOpts({ delay: 5 }));
    const workflow = ingress.workflowClient<Signup>({ name: "W" }, key);
    await workflow.confirm("123");
    const submitted = await workflow.workflowSubmit("a@b.c", rpc.sendOpts({ headers: { h: "v" } }));
    assert.deepEqual(submitted, {
      invocationId: "inv_1x",
      status: "PreviouslyAccepted",
      attachable: true,
    });
    assert.equal(await ingress.result(submitted), "Hello");
    assert.deepEqual(
      seen.map(({ request, body }) => [request, body]),
      [
        ["POST /O/a%2Fb%20%C3%BC/greet", '"Bob"'],
        ["POST /O/k/ping/send?delay=5ms", ""],
        ["POST /W/a%2Fb%20%C3%BC/confirm", '"123"'],
        ["POST /W/a%2Fb%20%C3%BC/run/send", '"a@b.c"'],
        ["GET /restate/invocation/inv_1x/attach", ""],
      ],
    );
    assert.equal(seen[3]?.headers["h"], "v");
  });

  it("waits for workflows, or asks whether they have ended", async () => {
    const workflow = ingress.workflowClient<Signup>({ name: "W" }, "k");
    const opts = rpc.opts<void, string>({ headers: { h: "v" } });
    assert.equal(await workflow.workflowAttach(opts), "Hello");
    assert.deepEqual(await workflow.workflowOutput(), { ready: true, result: "Hello" });
    const running = await ingress.workflowClient<Signup>({ name: "W" }, "running").workflowOutput();
    assert.equal(running.ready, false);
    assert.throws(() => running.result, /has not ended/);
    const gone = ingress.workflowClient<Signup>({ name: "W" }, "gone");
    await assert.rejects(gone.workflowOutput(), { status: 404 });
    await assert.rejects(gone.workflowAttach(), { status: 404 });
    assert.deepEqual(
      seen.map(({ request, headers }) => [request, headers["h"], headers["authorization"]]),
      [
        ["GET /restate/workflow/W/k/attach", "v", "Bearer x"],
        ["GET /restate/workflow/W/k/output", undefined, "Bearer x"],
        ["GET /restate/workflow/W/running/output", undefined, "Bearer x"],
        ["GET /restate/workflow/W/gone/output", undefined, "Bearer x"],
        ["GET /restate/workflow/W/gone/attach", undefined, "Bearer x"],
      ],
    );
  });

  it("completes awakeables", async () => {
    await ingress.resolveAwakeable("sign_1x", { a: 1 });
    await ingress.resolveAwakeable("sign_1x");
    await ingress.resolveAwakeable("sign_1x", Uint8Array.of(65), serde.binary);
    await ingress.rejectAwakeable("sign_1x", "why");
    assert.deepEqual(
      seen.map(({ request, headers, body }) => [request, headers["content-type"], body]),
      [
        ["POST /restate/awakeables/sign_1x/resolve", "application/json", '{"a":1}'],
        ["POST /restate/awakeables/sign_1x/resolve", "application/json", ""],
        ["POST /restate/awakeables/sign_1x/resolve", "application/octet-stream", "A"],
        ["POST /restate/awakeables/sign_1x/reject", "text/plain", "why"],
      ],
    );
  });

  it("sends messages to handlers", async () => {
    assert.deepEqual(await ingress.send("inv_1x", "a/b", { a: 1 }), { status: "Accepted" });
    const opts = { idempotencyKey: "k", serde: serde.binary, headers: { h: "v" } };
    await ingress.send({ workflow: "W", key: "a/b" }, "t", Uint8Array.of(65), opts);
    assert.deepEqual(
      seen.map(({ request, headers, body }) => [
        request,
        body,
        headers["content-type"],
        headers["idempotency-key"],
        headers["h"],
      ]),
      [
        [
          "POST /restate/invocation/inv_1x/messages/a%2Fb",
          '{"a":1}',
          "application/json",
          undefined,
          undefined,
        ],
        ["POST /restate/workflow/W/a%2Fb/messages/t", "A", "application/octet-stream", "k", "v"],
      ],
    );
  });

  it("reads the events of handlers, or waits for them", async () => {
    const event = await ingress.getEvent<number>("inv_1x", "progress");
    assert.deepEqual(event, { value: 0.5, version: 7 });
    const opts = { wait: { seconds: 1.5 }, after: 7, headers: { h: "v" } };
    assert.equal(await ingress.getEvent({ workflow: "W", key: "k" }, "progress", opts), undefined);
    assert.equal(await ingress.getEvent("inv_1x", "none"), undefined);
    await assert.rejects(ingress.getEvent("unknown", "progress"), { status: 404 });
    assert.deepEqual(
      seen.map(({ request, headers }) => [request, headers["if-none-match"], headers["h"]]),
      [
        ["GET /restate/invocation/inv_1x/events/progress", undefined, undefined],
        ["GET /restate/workflow/W/k/events/progress?wait=1500ms", '"7"', "v"],
        ["GET /restate/invocation/inv_1x/events/none", undefined, undefined],
        ["GET /restate/invocation/unknown/events/progress", undefined, undefined],
      ],
    );
  });

  it("rejects with the status and the text of the answer", async () => {
    const failing = Promise.resolve(ingress.serviceClient<Greeter>({ name: "Greeter" }).fail());
    await assert.rejects(failing, (error) => {
      assert.ok(error instanceof HttpCallError);
      assert.deepEqual([error.status, error.responseText], [418, '{"code":418,"message":"nope"}']);
      assert.match(error.message, /418/);
      return true;
    });
  });

  it("gives up after a time, or when told, but not both", async () => {
    const greeter = ingress.serviceClient<Greeter>({ name: "Greeter" });
    const hang = async (opts: Parameters<typeof rpc.opts>[0]): Promise<void> =>
      greeter.hang(rpc.opts<unknown, void>({ ...opts, output: serde.empty }));
    await assert.rejects(hang({ timeout: 20 }), { name: "TimeoutError" });
    const controller = new AbortController();
    const hanging = hang({ signal: controller.signal });
    controller.abort();
    await assert.rejects(hanging, { name: "AbortError" });
    await assert.rejects(hang({ timeout: 20, signal: controller.signal }), TypeError);
  });

  it("uses the fetch and the serde it is given", async () => {
    const asked: string[] = [];
    const own = connect({
      url,
      serde: serde.binary,
      fetch: async (target) => {
        asked.push(new Request(target).url);
        return new Response(Uint8Array.of(1, 2));
      },
    });
    const answer = await own.call({ service: "S", handler: "h", parameter: Uint8Array.of(9) });
    assert.deepEqual(answer, Uint8Array.of(1, 2));
    assert.deepEqual(asked, [`${url}/S/h`]);
  });

  it("is no promise when it is awaited by mistake", async () => {
    const client: unknown = await Promise.resolve(ingress.serviceClient({ name: "Greeter" }));
    assert.equal(typeof client, "object");
    const workflow: unknown = await Promise.resolve(ingress.workflowClient({ name: "W" }, "k"));
    assert.equal(typeof workflow, "object");
  });
});
