import assert from "node:assert/strict";
import { test } from "node:test";
import { invocationIdToString } from "../../sdk/protocol/ids.ts";
import { exchange, parseAnswer, RawClient } from "../http/raw-client.suite.ts";
import { at, idOf, service } from "./fake-world.suite.ts";
import { type Answer, send, start, URI } from "./fixture.suite.ts";

const ID_TEXT = invocationIdToString(idOf(1));

test("health and version are told under every prefix", async () => {
  const { request } = await start();
  for (const prefix of ["", "/v2", "/v3", "/v4"]) {
    const health = await request("GET", `${prefix}/health`);
    assert.deepEqual([health.status, health.json], [200, { status: "ok", note: 1 }]);
    const version = await request("GET", `${prefix}/version`);
    assert.equal(at(version.json, "version"), "1.2.3");
    assert.equal(at(version.json, "min_admin_api_version"), 2);
    assert.equal(at(version.json, "max_admin_api_version"), 4);
    assert.equal(at(version.json, "ingress_endpoint"), "http://127.0.0.1:8080");
    assert.equal(at(version.json, "features", "vqueues"), false);
  }
});

test("unknown paths, versions and methods are refused in JSON", async () => {
  const { request } = await start();
  const rows = [
    ["GET", "/nothing", 404],
    ["GET", "/v5/health", 404],
    ["GET", "/v1/health", 400],
    ["DELETE", "/deployments", 405],
    ["PUT", "/v3/deployments", 405],
    ["PUT", "/v3/deployments/dp_1x", 405],
    ["PUT", "/deployments/dp_1x", 405],
    ["POST", "/version", 405],
    ["PATCH", `/invocations/${ID_TEXT}`, 405],
  ] as const;
  for (const [method, path, status] of rows) {
    const answer = await request(method, path);
    assert.equal(answer.status, status, path);
    assert.equal(typeof at(answer.json, "message"), "string", path);
    assert.equal(at(answer.json, "restate_code"), null, path);
  }
  const wrong = await request("PUT", "/deployments");
  assert.equal(wrong.headers.get("allow"), "POST, GET, HEAD");
});

test("with a token, everything but health asks for it", async () => {
  const { url } = await start({ token: "s3cret-token" });
  const withToken = (authorization: string): Promise<Answer> =>
    send(`${url}/services`, "GET", undefined, { authorization });
  for (const path of ["/services", "/version", "/nothing", "/v3/deployments", "/health/x", "/"]) {
    const answer = await send(url + path, "GET");
    assert.equal(answer.status, 401, path);
    assert.equal(answer.headers.get("www-authenticate"), "Bearer");
  }
  for (const path of ["/health", "/v3/health"])
    assert.equal((await send(url + path, "GET")).status, 200);
  for (const wrong of ["", "Bearer", "Bearer x", "Bearer s3cret-token2", "Basic s3cret-token"]) {
    assert.equal((await withToken(wrong)).status, 401, wrong);
  }
  assert.equal((await withToken("Bearer s3cret-token")).status, 200);
  assert.equal((await withToken("bearer s3cret-token")).status, 200);
});

test("without a token, a name that a web page could have made up is refused", async () => {
  const { port } = await start();
  const under = async (host: string, path = "/services"): Promise<number> => {
    const bytes = `GET ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`;
    return parseAnswer(await exchange(port, bytes)).status;
  };
  for (const host of ["localhost:9070", "127.0.0.1", "[::1]:9070", "holdfast.localhost"]) {
    assert.equal(await under(host), 200, host);
  }
  for (const host of ["evil.example", "localhost.evil.example:9070", "127.0.0.1.evil.example"]) {
    assert.equal(await under(host), 403, host);
  }
  assert.equal(await under("lb.example", "/health"), 200);
  assert.equal(await under("a b"), 400);
});

test("a body that is too large, no JSON, or of the wrong shape is refused", async () => {
  const fixture = await start();
  const { request, url } = fixture;
  const rows: readonly (readonly [unknown, number])[] = [
    ["{", 400],
    ["", 400],
    ["[]", 422],
    ["null", 422],
    [{}, 422],
    [{ uri: 1 }, 422],
    [{ uri: URI, force: "yes" }, 422],
    [{ uri: URI, additional_headers: ["a"] }, 422],
    [{ uri: URI, additional_headers: { a: 1 } }, 422],
    [{ uri: URI, metadata: "x" }, 422],
    [{ uri: URI, dryrun: true }, 422],
    [{ uri: "127.0.0.1:9080" }, 400],
    [{ uri: "/relative" }, 400],
    [{ uri: "ftp://host/" }, 400],
    [{ uri: "http://user:secret@host/" }, 400],
    [{ uri: `http://host/${"a".repeat(3000)}` }, 400],
    [{ uri: "http://169.254.169.254/latest" }, 400],
    [{ uri: URI, additional_headers: { "bad name": "x" } }, 400],
    [{ uri: URI, additional_headers: { "x-a": "caf\u00e9" } }, 400],
    [{ uri: URI, additional_headers: { "x-a": "a\r\nx-b: c" } }, 400],
    [{ uri: URI, additional_headers: { "Content-Type": "x" } }, 400],
    [{ uri: URI, additional_headers: { ["x".repeat(300)]: "v" } }, 400],
    [{ uri: URI, additional_headers: { "x-a": "v".repeat(9000) } }, 400],
    [
      {
        uri: URI,
        metadata: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`n${i}`, "v"])),
      },
      400,
    ],
    [{ uri: URI, auth: { GoogleIdToken: {} } }, 400],
    [{ arn: "arn:aws:lambda:eu:1:function:f:1" }, 400],
    [{ uri: URI, metadata: { long: "x".repeat(2_000_000) } }, 413],
  ];
  for (const [body, status] of rows) {
    const answer = await request("POST", "/deployments", body);
    const row = JSON.stringify(body).slice(0, 80);
    assert.equal(answer.status, status, row);
    assert.equal(typeof at(answer.json, "message"), "string", row);
    assert.ok(!answer.text.includes("secret"), row);
  }
  const plain = await send(`${url}/deployments`, "POST", "{}", { "content-type": "text/plain" });
  assert.equal(plain.status, 415);
  const endless = await RawClient.open(fixture.port);
  const head =
    "POST /deployments HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
  endless.send(`${head}transfer-encoding: chunked\r\n\r\n`);
  for (let each = 0; each < 40; each += 1) endless.send(`10000\r\n${" ".repeat(65_536)}\r\n`);
  await endless.until("is larger than");
  endless.socket.destroy();
  assert.deepEqual([fixture.asked, fixture.errors, fixture.world.inputs], [[], [], []]);
});

test("the front page, cluster health and metrics answer", async () => {
  const { request } = await start();
  const front = await request("GET", "/");
  assert.equal(front.status, 200);
  assert.match(front.headers.get("content-type") ?? "", /^text\/plain/);
  assert.match(front.text, /http:\/\/127\.0\.0\.1:8080/);
  const cluster = await request("GET", "/v4/cluster-health");
  assert.deepEqual(cluster.json, { cluster_name: "holdfast" });
  const metrics = await request("GET", "/metrics");
  assert.deepEqual([metrics.status, metrics.text], [200, "up 1\n"]);
  assert.equal(metrics.headers.get("content-type"), "text/plain; version=0.0.4");
});

test("a large answer is compressed for who asks for it, a small one is not", async () => {
  const { world, port } = await start();
  const names = Array.from({ length: 50 }, (_, index) => `Service${index}`);
  world.register(...names.map((name) => service(name, [{ name: "run" }])));
  const get = async (path: string) => {
    const bytes = `GET ${path} HTTP/1.1\r\nhost: localhost\r\naccept-encoding: gzip\r\nconnection: close\r\n\r\n`;
    return parseAnswer(await exchange(port, bytes));
  };
  assert.equal((await get("/services")).headers.get("content-encoding"), "gzip");
  assert.equal((await get("/version")).headers.get("content-encoding"), undefined);
});

test("a HEAD request has the head of the answer alone", async () => {
  const { url } = await start();
  const answer = await send(`${url}/version`, "HEAD");
  assert.deepEqual([answer.status, answer.text], [200, ""]);
  assert.ok(Number(answer.headers.get("content-length")) > 0);
});
