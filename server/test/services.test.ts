/** A service made from each SDK, over each transport, through the real server: everything a plain service can do. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  get,
  persist,
  post,
  register,
  type RunningServer,
  startServer,
  temporaryDirectory,
} from "./harness.ts";
import { type Endpoint, loadSdk, serve, VARIANTS } from "./endpoint.ts";
import { type Executions, kitchen } from "./kitchen.ts";

for (const { sdk: sdkName, transport, title } of VARIANTS) {
  describe(`a service (${title})`, () => {
    const directory = temporaryDirectory();
    const executions: Executions = new Map();
    let server: RunningServer;
    let endpoint: Endpoint;

    before(async () => {
      const sdk = await loadSdk(sdkName);
      endpoint = await serve(sdk, [kitchen(sdk, executions)], transport);
      server = await startServer(`${directory.path}/data`);
      await register(server.admin, endpoint.url, { use_http_11: endpoint.isHttp1 });
    });

    after(async () => {
      await server.process.stop();
      await endpoint.close();
      directory.remove();
    });

    const call = async (handler: string, input?: unknown): Promise<unknown> => {
      const answer = await post(`${server.ingress}/Kitchen/${handler}`, input);
      assert.equal(answer.status, 200, `${answer.text}\n${server.process.errors}`);
      return answer.text === "" ? undefined : (JSON.parse(answer.text) as unknown);
    };

    it("answers with what the handler returns", async () => {
      const input = { text: "grüße", list: [1, 2.5, null] };
      assert.deepEqual(await call("echo", input), input);
    });

    it("executes each step once", async () => {
      assert.deepEqual(await call("steps", "s"), [1, 1, 1, 1, 1]);
    });

    it("sleeps, and does not repeat what came before", async () => {
      executions.clear();
      const startMs = Date.now();
      assert.equal(await call("nap", 150), 1);
      assert(Date.now() - startMs >= 150);
      assert.equal(executions.get("before"), 1);
    });

    const awakeableIdOf = async (name: string): Promise<string> =>
      await persist(async () => {
        const key = [...executions.keys()].find((each) => each.startsWith(`${name}:`));
        return await Promise.resolve(key?.slice(name.length + 1));
      });

    it("waits for an awakeable that is resolved over HTTP", async () => {
      const result = call("wait", "http");
      const id = await awakeableIdOf("http");
      const url = `${server.ingress}/restate/awakeables/${id}/resolve`;
      assert.equal((await post(url, { answer: 4 })).status, 202);
      assert.equal((await post(url, { answer: 5 })).status, 202);
      assert.equal(await result, 8);
    });

    it("waits for an awakeable that another handler resolves", async () => {
      const result = call("wait", "handler");
      const id = await awakeableIdOf("handler");
      assert.equal(await call("resolves", id), "resolved");
      assert.equal(await result, 42);
    });

    it("fails a waiting handler whose awakeable is rejected", async () => {
      const result = post(`${server.ingress}/Kitchen/wait`, "rejected");
      const id = await awakeableIdOf("rejected");
      const reason = "the customer left";
      await fetch(`${server.ingress}/restate/awakeables/${id}/reject`, {
        method: "POST",
        body: reason,
      });
      const answer = await result;
      assert.equal(answer.status, 500);
      assert.match(answer.text, /the customer left/);
    });

    it("times out", async () => {
      assert.equal(await call("waitBriefly"), "TimeoutError");
    });

    it("calls other handlers, at the same time", async () => {
      assert.equal(await call("parent", 1), 30);
    });

    it("sends without waiting", async () => {
      assert.equal(await call("sends", "sent"), "sent");
      await persist(async () => await Promise.resolve(executions.get("sent-4")));
    });

    it("hands terminal errors to the caller", async () => {
      const answer = await post(`${server.ingress}/Kitchen/refuses`, null);
      assert.equal(answer.status, 418);
      assert.match(answer.text, /no way/);
      const inStep = await post(`${server.ingress}/Kitchen/refusesInStep`, null);
      assert.equal(inStep.status, 409);
    });

    it("retries a failing step until it works", async () => {
      assert.equal(await call("flaky", "flaky"), 3);
    });

    it("gives up on a step when its own policy says so", async () => {
      const answer = await post(`${server.ingress}/Kitchen/exhausts`, "exhausts");
      assert.equal(answer.status, 500);
      assert.equal(executions.get("exhausts"), 2);
    });

    it("retries a handler that throws", async () => {
      assert.equal(await call("throwsOnce", "once"), "second attempt");
    });

    it("combines", async () => {
      assert.equal(await call("race"), "fast");
      assert.deepEqual(await call("allSettled"), ["fulfilled", "rejected"]);
      assert.equal(await call("any"), "second works");
    });

    it("runs once for one idempotency key", async () => {
      executions.clear();
      const headers = { "idempotency-key": "same" };
      const url = `${server.ingress}/Kitchen/steps`;
      const answers = await Promise.all([1, 2, 3].map(() => post(url, "idem", headers)));
      assert.deepEqual(new Set(answers.map((answer) => answer.text)), new Set(["[1,1,1,1,1]"]));
      assert.deepEqual(
        new Set(answers.map((answer) => answer.headers.get("x-restate-id"))).size,
        1,
      );
      const late = await post(url, "idem", headers);
      assert.equal(late.text, "[1,1,1,1,1]");
      assert(late.headers.get("idempotency-expires") !== null);
    });

    it("runs later when asked to, and its result can be had by its id", async () => {
      const sent = await post(`${server.ingress}/Kitchen/echo/send?delay=300ms`, "later");
      assert.equal(sent.status, 202);
      const { invocationId, status } = JSON.parse(sent.text) as {
        invocationId: string;
        status: string;
      };
      assert.equal(status, "Accepted");
      const base = `${server.ingress}/restate/invocation/${invocationId}`;
      assert.equal((await get(`${base}/output`)).status, 470);
      const startMs = Date.now();
      assert.equal((await get(`${base}/attach`)).text, '"later"');
      assert(Date.now() - startMs >= 150);
      assert.equal((await get(`${base}/output`)).text, '"later"');
    });

    it("serves many callers at once", async () => {
      const results = await Promise.all(
        Array.from({ length: 50 }, (_, index) => call("parent", index)),
      );
      assert.deepEqual(
        results,
        Array.from({ length: 50 }, (_, index) => index * 20 + 10),
      );
    });
  });
}
