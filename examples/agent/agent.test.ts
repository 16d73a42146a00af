/** The example as its README tells it: built, behind the built server, both killed in the middle. */
import assert from "node:assert/strict";
import http from "node:http";
import { after, before, describe, it } from "node:test";
import { connect, type Ingress, rpc } from "@holdfast/sdk/client";
import {
  type BuiltExample,
  buildExample,
  type RunningExample,
  startExample,
} from "../../server/test/example.ts";
import { listen } from "../../server/test/endpoint.ts";
import {
  get,
  persist,
  post,
  register,
  type RunningServer,
  startServer,
  temporaryDirectory,
} from "../../server/test/harness.ts";
import type { agentService, Approval, Status } from "./agent.ts";
import type { Message } from "./model.ts";
import { openPage } from "./page.suite.ts";
import { SupportDesk } from "./support-desk.ts";

type Agent = ReturnType<typeof agentService>;

const REFUND = { goal: "Please refund order 1042, the lamp arrived broken." };
/** Longer than any test waits. */
const PATIENT = ["--approval-timeout", "10m", "--think-time", "1ms"];

/** What never ends is found out sooner than by the runner. */
const TIMEOUT_MS = 100_000;

describe("the agent example", { timeout: TIMEOUT_MS }, () => {
  const directory = temporaryDirectory();
  const deskFile = `${directory.path}/desk.jsonl`;
  const desk = new SupportDesk(deskFile);
  const running: RunningExample[] = [];
  let server: RunningServer;
  let built: BuiltExample;
  let ingress: Ingress;

  before(async () => {
    built = await buildExample("agent", "holdfast");
    server = await startServer(`${directory.path}/data`);
    ingress = connect({ url: server.ingress });
  });

  after(async () => {
    await server.process.stop();
    for (const example of running) await example.process.stop();
    built.remove();
    directory.remove();
  });

  /** New invocations go to a process with these flags. */
  async function serve(flags: readonly string[], env = {}): Promise<RunningExample> {
    const example = await startExample(built, ["--desk", deskFile, ...flags], env);
    running.push(example);
    await register(server.admin, example.endpoint);
    return example;
  }

  const agent = () => ingress.serviceSendClient<Agent>({ name: "Agent" });

  /** Waits as the front end does, until the status is as wanted. */
  async function statusOf(
    id: string,
    wanted: (status: Status) => boolean,
    known?: number,
  ): Promise<Status> {
    const opts = { wait: { seconds: 30 }, after: known };
    const event = await ingress.getEvent<Status>(id, "status", opts);
    assert.ok(event !== undefined, `no status of ${id} after ${known}`);
    return wanted(event.value) ? event.value : statusOf(id, wanted, event.version);
  }

  const isWaiting = ({ phase }: Status) => phase === "waiting-for-approval";

  /** As a webhook does. */
  async function answer(id: string, approval: Approval): Promise<void> {
    const url = `${server.ingress}/restate/invocation/${id}/messages/approvals`;
    const { status, text } = await post(url, approval);
    assert.equal(status, 202, text);
  }

  const result = async (id: string): Promise<string> => {
    const { status, text } = await get(`${server.ingress}/restate/invocation/${id}/attach`);
    assert.equal(status, 200, text);
    return (JSON.parse(text) as { answer: string }).answer;
  };

  /** What the tools did, with the executions that were repeated. */
  const doneSince = (count: number) =>
    desk
      .entries()
      .slice(count)
      .map(({ kind }) => kind);

  it("refunds once it was approved, and shows how far it is", async () => {
    await serve(PATIENT);
    const { invocationId: id } = await agent().run(REFUND);
    const { request, steps } = await statusOf(id, isWaiting);
    assert.deepEqual([request?.tool, request?.input], ["refund", { order: "1042" }]);
    assert.match(steps.join(), /lookUpOrder: a lamp for 49.00 EUR/);
    assert.deepEqual(desk.entries(), []);

    await answer(id, { request: request?.id ?? "", approved: true });
    assert.match(await result(id), /Order 1042 is refunded \(reference [\w-]{8}\)/);
    assert.deepEqual(doneSince(0), ["refund", "mail"]);
    const { phase } = await statusOf(id, () => true);
    assert.equal(phase, "done");
  });

  it("goes on after the server and the endpoint were killed while it waited", async () => {
    const count = desk.entries().length;
    const example = await serve(PATIENT);
    const { invocationId: id } = await agent().run(REFUND);
    const { request } = await statusOf(id, isWaiting);
    await Promise.all([server.process.kill(), example.process.kill()]);
    await Promise.all([server.process.start(), example.process.start()]);
    assert.deepEqual((await statusOf(id, isWaiting)).request, request);
    await answer(id, { request: request?.id ?? "", approved: true });
    assert.match(await result(id), /is refunded/);
    assert.deepEqual(doneSince(count), ["refund", "mail"]);
  });

  it("goes on after the endpoint was killed while the model was thinking", async () => {
    const example = await serve(["--think-time", "300ms"]);
    const { invocationId: id } = await agent().run({ goal: "What is order 1043?" });
    await statusOf(id, ({ phase, steps }) => phase === "thinking" && steps.length === 1);
    await example.process.kill();
    await example.process.start();
    assert.match(await result(id), /two books/);
  });

  it("leaves the money alone when it is denied, or approved for something else", async () => {
    const count = desk.entries().length;
    await serve(PATIENT);
    const { invocationId: id } = await agent().run(REFUND);
    // Before anybody asked, and not what is asked.
    await answer(id, { request: "request-9", approved: true });
    await post(`${server.ingress}/restate/invocation/${id}/messages/approvals`, "yes");
    const { request } = await statusOf(id, isWaiting);
    await answer(id, { request: request?.id ?? "", approved: false, comment: "past the deadline" });
    assert.equal(await result(id), "Order 1042 was not refunded: past the deadline.");
    assert.deepEqual(doneSince(count), []);
  });

  it("takes silence for a no", async () => {
    const count = desk.entries().length;
    await serve(["--approval-timeout", "200ms", "--think-time", "1ms"]);
    const { invocationId: id } = await agent().run(REFUND);
    assert.equal(await result(id), "Order 1042 was not refunded: nobody answered in time.");
    assert.deepEqual(doneSince(count), []);
  });

  it("refuses what is no task", async () => {
    const response = await post(`${server.ingress}/Agent/run`, { goal: "" });
    assert.equal(response.status, 400, response.text);
  });

  it("asks a model over HTTP, again with the same key when that is busy", async () => {
    const said = [
      "I would rather chat.",
      '{"tool":"transfer","input":{}}',
      '{"tool":"lookUpOrder","input":{"order":1043}}',
      '{"answer":"It is two books."}',
    ];
    const model = await startModel(said);
    await serve(["--model-url", model.url, "--model-name", "m-1"], { MODEL_KEY: "secret" });
    const client = ingress.serviceClient<Agent>({ name: "Agent" });
    const { answer: text } = await client.run(
      { goal: "What is order 1043?" },
      rpc.opts({ timeout: 60_000 }),
    );
    await model.close();
    assert.equal(text, "It is two books.");
    assert.deepEqual(
      model.requests.map(({ last }) => last.replace(/(?<=^[\w ]+)[:,].*/, "")),
      [
        "What is order 1043?",
        "What is order 1043?",
        "not understood",
        "there is no tool transfer",
        "lookUpOrder",
      ],
    );
    assert.match(model.requests[0]?.system ?? "", /refund \{order\}/);
    assert.equal(model.requests[0]?.authorization, "Bearer secret");
    const keys = model.requests.map(({ key }) => key);
    assert.equal(keys[0], keys[1]);
    assert.equal(new Set(keys).size, 4);
  });

  it("is led by its page from the task over an outage to the answer", async () => {
    const example = await serve(PATIENT);
    const page = await openPage(`${example.page}/?ingress=${server.ingress}`);
    page.submit("task");
    await persist(async () => (page.element("request").hidden ? undefined : true));
    assert.match(page.element("wish").textContent, /refund .*1042/);
    await server.process.kill();
    await persist(async () => (/away/.test(page.element("phase").textContent) ? true : undefined));
    page.click("approve");
    await server.process.start();
    await persist(async () => (page.element("answer").textContent === "" ? undefined : true));
    assert.match(page.element("answer").textContent, /Order 1042 is refunded/);
    assert.equal(page.element("request").hidden, true);
    assert.match((await get(`${example.page}/desk`)).text, /"refund"/);
  });
});

interface ModelRequest {
  readonly key: unknown;
  readonly authorization: unknown;
  /** What the model is told first, and what it is told last. */
  readonly system: string;
  readonly last: string;
}

/** An HTTP model that says this, one after the other, after it was busy once. */
async function startModel(said: readonly string[]) {
  const requests: ModelRequest[] = [];
  const server = http.createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
    request.on("end", () => {
      const { messages } = JSON.parse(body) as { messages: Message[] };
      const { authorization, "idempotency-key": key } = request.headers;
      const [system = "", last = ""] = [messages[0]?.content, messages.at(-1)?.content];
      requests.push({ key, authorization, system, last });
      if (requests.length === 1) {
        response.writeHead(503, { "retry-after": "0" }).end();
      } else {
        const content = said[requests.length - 2];
        response.end(JSON.stringify({ choices: [{ message: { role: "assistant", content } }] }));
      }
    });
  });
  return { requests, ...(await listen(server)) };
}
