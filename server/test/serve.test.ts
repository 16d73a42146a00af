/** `holdfast serve` as an operator meets it: the command line, refusals, start, stop, and a second one on the same data. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { after, describe, it } from "node:test";
import { freePort, get, post, register, startServer, temporaryDirectory } from "./harness.ts";
import { loadSdk, serve } from "./endpoint.ts";
import { type Executions, kitchen } from "./kitchen.ts";
import { TestProcess } from "./process.ts";

const BINARY = "dist/holdfast.mjs";
const directory = temporaryDirectory();
after(() => directory.remove());

function holdfast(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const run = spawnSync(process.execPath, [BINARY, ...args], {
    encoding: "utf8",
    env: { ...process.env, ...env },
    timeout: 20_000,
  });
  return { code: run.status, out: run.stdout, errors: run.stderr };
}

const anyPorts = ["--ingress", "127.0.0.1:0", "--admin", "127.0.0.1:0"];

describe("the command line", () => {
  it("explains every setting, with its variable and default", () => {
    const { code, out } = holdfast(["serve", "--help"]);
    assert.equal(code, 0);
    for (const word of [
      "--ingress",
      "HOLDFAST_INGRESS",
      "127.0.0.1:8080",
      "--durability",
      "--data",
    ]) {
      assert(out.includes(word), `${word} in\n${out}`);
    }
  });

  it("says its version, that of package.json", () => {
    const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
    assert.equal(holdfast(["--version"]).out.trim(), version);
  });

  it("refuses what it does not understand, naming it, with exit code 2", () => {
    const cases: [string[], Record<string, string>, RegExp][] = [
      [["serve", "--nonsense"], {}, /--nonsense/],
      [["serve", "--ingress", "nowhere"], {}, /--ingress.*HOST:PORT/s],
      [["serve", "--ingress", "127.0.0.1:99999"], {}, /HOST:PORT/],
      [["serve", "--durability", "maybe"], {}, /disk, bucket, none/],
      [["serve", "--abort-timeout", "soon"], {}, /duration/],
      [["serve"], { HOLDFAST_MAX_REQUEST_SIZE: "huge" }, /HOLDFAST_MAX_REQUEST_SIZE/],
      [["serve", "--admin", "0.0.0.0:0"], {}, /--admin-token/],
      [["frobnicate"], {}, /frobnicate/],
    ];
    for (const [args, env, message] of cases) {
      const { code, errors, out } = holdfast(args, env);
      assert.equal(code, 2, `${args.join(" ")}: ${errors}`);
      assert.match(errors, message);
      assert.equal(out, "");
    }
  });

  it("does not repeat a secret that it refuses", () => {
    const secret = "hunter two";
    const endpoint = ["--otlp-endpoint", "http://127.0.0.1:1"];
    const cases: [string[], Record<string, string>, RegExp][] = [
      [["--admin-token", secret], {}, /--admin-token.*visible ASCII/],
      [[], { HOLDFAST_ADMIN_TOKEN: secret }, /--admin-token.*visible ASCII/],
      [[...endpoint, "--otlp-headers", secret], {}, /--otlp-headers.*name=value/],
      [endpoint, { OTEL_EXPORTER_OTLP_HEADERS: secret }, /OTEL_EXPORTER_OTLP_HEADERS.*name=value/],
    ];
    for (const [args, env, message] of cases) {
      const { code, errors } = holdfast(["serve", ...anyPorts, ...args], env);
      assert.equal(code, 2, errors);
      assert.match(errors, message);
      assert(!errors.includes(secret), errors);
    }
  });

  it("refuses a time that no timer can wait for", () => {
    for (const flag of ["--shutdown-timeout", "--query-timeout"]) {
      const { code, errors } = holdfast(["serve", ...anyPorts, flag, "30d"]);
      assert.equal(code, 2, errors);
      assert.match(errors, /at most 24d/);
    }
  });

  it("takes a setting from the environment, and the flag before it", async () => {
    const data = `${directory.path}/env`;
    const server = new TestProcess({
      args: [BINARY, "serve", "--ingress", "127.0.0.1:0"],
      env: { HOLDFAST_ADMIN: "127.0.0.1:0", HOLDFAST_INGRESS: "127.0.0.1:1", HOLDFAST_DATA: data },
    });
    const ready = await server.start();
    assert.equal(ready["event"], "ready");
    assert(!String(ready["ingress"]).endsWith(":1"));
    assert(existsSync(data));
    assert.equal(await server.stop(), 0);
  });

  it("warns of a variable that is no setting", async () => {
    const args = [BINARY, "serve", ...anyPorts, "--data", `${directory.path}/typo`];
    const server = new TestProcess({ args, env: { HOLDFAST_DURABILTY: "disk" } });
    await server.start();
    await server.stop();
    assert.match(server.errors, /HOLDFAST_DURABILTY/);
  });
});

describe("a server that cannot start", () => {
  it("says that a port is taken, and leaves the data unlocked", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const address = taken.address();
    assert(typeof address === "object" && address !== null);
    const data = `${directory.path}/taken`;
    const busy = `127.0.0.1:${address.port}`;
    const { code, errors } = holdfast([
      "serve",
      "--ingress",
      "127.0.0.1:0",
      "--admin",
      busy,
      "--data",
      data,
    ]);
    taken.close();
    assert.equal(code, 2);
    assert.match(errors, /EADDRINUSE/);
    const server = await startServer(data);
    assert.equal(await server.process.stop(), 0);
  });

  it("refuses data that another server holds, and takes them over from a killed one", async () => {
    const data = `${directory.path}/locked`;
    const first = await startServer(data);
    const second = holdfast(["serve", ...anyPorts, "--data", data]);
    assert.notEqual(second.code, 0);
    assert.match(second.errors, /lock|in use|another/i);
    await first.process.kill();
    await first.process.start();
    assert.equal(await first.process.stop(), 0);
  });

  it("refuses a path that is no directory", () => {
    writeFileSync(`${directory.path}/file`, "");
    const { code, errors } = holdfast(["serve", ...anyPorts, "--data", `${directory.path}/file`]);
    assert.notEqual(code, 0);
    assert.match(errors, /directory/);
  });
});

describe("a running server", () => {
  it("is healthy on both listeners, and gone after SIGTERM", async () => {
    const server = await startServer(`${directory.path}/health`);
    assert.equal((await get(`${server.ingress}/restate/health`)).status, 200);
    assert.equal((await get(`${server.admin}/health`)).status, 200);
    assert.equal(await server.process.stop(), 0);
    await assert.rejects(get(`${server.admin}/health`));
  });

  it("asks for its admin token, except for health", async () => {
    const token = "correct-horse";
    const server = await startServer(`${directory.path}/token`, ["--admin-token", token]);
    assert.equal((await get(`${server.admin}/health`)).status, 200);
    assert.equal((await get(`${server.admin}/deployments`)).status, 401);
    const headers = { authorization: `Bearer ${token}` };
    const answer = await fetch(`${server.admin}/deployments`, { headers });
    assert.equal(answer.status, 200);
    await server.process.stop();
    assert(!server.process.errors.includes(token));
  });

  it("answers bad requests with a stable code and stays up", async () => {
    const server = await startServer(`${directory.path}/bad`, ["--max-request-size", "1kb"]);
    const sdk = await loadSdk("holdfast");
    const executions: Executions = new Map();
    const endpoint = await serve(sdk, [kitchen(sdk, executions)], "h2");
    await register(server.admin, endpoint.url);
    const reasonOf = async (path: string, init: RequestInit): Promise<[number, unknown]> => {
      const response = await fetch(server.ingress + path, init);
      const text = await response.text();
      return [response.status, (JSON.parse(text) as { reason: unknown }).reason];
    };
    const json = { method: "POST", headers: { "content-type": "application/json" } };
    const cases: [number, string, RequestInit][] = [
      [404, "/Nobody/greet", json],
      [404, "/Kitchen/nothing", json],
      [400, "/just-one", json],
      [405, "/Kitchen/echo", { method: "DELETE" }],
      [
        400,
        "/Kitchen/echo",
        { method: "POST", body: "x", headers: { "content-type": "text/plain" } },
      ],
      [413, "/Kitchen/echo", { ...json, body: "x".repeat(2000) }],
      [400, "/Kitchen/echo/send?delay=soon", json],
      [400, "/restate/awakeables/sign_1nonsense/resolve", json],
      [400, "/restate/invocation/inv_nonsense/attach", { method: "GET" }],
    ];
    for (const [status, path, init] of cases) {
      const [got, reason] = await reasonOf(path, init);
      assert.equal(got, status, path);
      assert.match(String(reason), /^[a-z-]+$/, path);
    }
    const answer = await post(`${server.ingress}/Kitchen/echo`, "still here");
    assert.equal(answer.text, '"still here"');
    await server.process.stop();
    await endpoint.close();
  });

  it("says of an endpoint that is down what it saw, and finishes when it is back", async () => {
    const server = await startServer(`${directory.path}/down`);
    const sdk = await loadSdk("holdfast");
    const executions: Executions = new Map();
    const endpoint = await serve(sdk, [kitchen(sdk, executions)], "h2");
    await register(server.admin, endpoint.url);
    await endpoint.close();
    const sent = await post(`${server.ingress}/Kitchen/echo/send`, "patience");
    const { invocationId } = JSON.parse(sent.text) as { invocationId: string };
    await new Promise((resolve) => setTimeout(resolve, 300));
    const state = await get(`${server.admin}/invocations/${invocationId}`);
    assert.match(state.text, /backing-off/);
    assert.match(state.text, /RT0010/);
    const again = await serve(sdk, [kitchen(sdk, executions)], "h2", { port: endpoint.port });
    const result = await get(`${server.ingress}/restate/invocation/${invocationId}/attach`);
    assert.equal(result.text, '"patience"');
    await server.process.stop();
    await again.close();
  });

  it("goes on when nobody reads its log any more", async () => {
    const data = `${directory.path}/deaf`;
    const child = spawn(process.execPath, [BINARY, "serve", ...anyPorts, "--data", data], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, HOLDFAST_DURABILTY: "a warning" },
    });
    const exited = once(child, "exit");
    child.stderr.destroy();
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const { ingress } = JSON.parse(String(line)) as { ingress: string };
    assert.equal((await get(`${ingress}/restate/health`)).status, 200);
    child.kill("SIGTERM");
    assert.deepEqual(await exited, [0, null]);
  });

  it("refuses to register what is no endpoint", async () => {
    const server = await startServer(`${directory.path}/discovery`);
    const port = await freePort();
    const cases: [object, RegExp][] = [
      [{ uri: `http://127.0.0.1:${port}` }, /META0003/],
      [{ uri: server.admin }, /META00/],
      [{ uri: "not a uri" }, /./],
      [{}, /./],
    ];
    for (const [body, message] of cases) {
      const answer = await post(`${server.admin}/deployments`, body);
      assert(answer.status >= 400, answer.text);
      assert.match(answer.text, message);
    }
    await server.process.stop();
  });
});
