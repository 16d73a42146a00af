import assert from "node:assert/strict";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, beforeEach, describe, it } from "node:test";
import { FaultyS3, LATE_MS_MAX } from "./faulty-s3.ts";
import { persist } from "./harness.ts";

describe("a store behind the faulty proxy", () => {
  const stored: string[] = [];
  const target = http.createServer((request, response) => {
    let text = "";
    request.on("data", (chunk: Buffer) => (text += chunk.toString()));
    request.on("end", () => {
      stored.push(`${request.method} ${request.url} ${text}`);
      response.writeHead(200, { "x-host": request.headers.host ?? "", etag: '"1"' });
      response.end("answer");
    });
  });
  let proxy: FaultyS3;

  before(async () => {
    await new Promise<void>((resolve) => target.listen(0, "127.0.0.1", resolve));
    const { port } = target.address() as AddressInfo;
    proxy = await FaultyS3.start(`http://127.0.0.1:${port}`);
  });

  beforeEach(() => {
    proxy.set({});
    stored.length = 0;
  });

  after(async () => {
    await proxy.close();
    target.closeAllConnections();
    await new Promise((resolve) => target.close(resolve));
  });

  const put = async () => {
    const answer = await fetch(`${proxy.url}/bucket/key?x=1`, { method: "PUT", body: "bytes" });
    return { status: answer.status, headers: answer.headers, text: await answer.text() };
  };
  const isCut = async () => {
    await assert.rejects(put());
    return true;
  };

  it("gets requests and gives answers unchanged, with the host that was signed", async () => {
    const { status, headers, text } = await put();
    assert.deepEqual([status, text, headers.get("etag")], [200, "answer", '"1"']);
    assert.equal(`http://${headers.get("x-host")}`, proxy.url);
    assert.deepEqual(stored, ["PUT /bucket/key?x=1 bytes"]);
  });

  it("answers with errors and without effects", async () => {
    proxy.set({ errors: 1 });
    assert.match((await put()).text, /<Code>InternalError<\/Code>/);
    proxy.set({ slowDowns: 1 });
    const slow = await put();
    assert.equal(slow.status, 503);
    assert.match(slow.text, /<Code>SlowDown<\/Code>/);
    proxy.set({ state: "denied" });
    assert.equal((await put()).status, 403);
    assert.deepEqual(stored, []);
  });

  it("cuts connections without effects", async () => {
    proxy.set({ resets: 1 });
    assert.ok(await isCut());
    proxy.set({ state: "gone" });
    assert.ok(await isCut());
    assert.deepEqual(stored, []);
  });

  it("loses answers after effects", async () => {
    proxy.set({ lostAnswers: 1 });
    assert.ok(await isCut());
    assert.equal(stored.length, 1);
  });

  it("lets a request land after its sender was cut", async () => {
    proxy.set({ late: 1 });
    assert.ok(await isCut());
    assert.equal(stored.length, 0);
    await persist(() => Promise.resolve(stored.length === 1 || undefined), 2 * LATE_MS_MAX);
  });

  it("delays, and keeps silent until the weather changes", async () => {
    proxy.set({ latencyMs: 50 });
    const beganMs = performance.now();
    assert.equal((await put()).status, 200);
    assert.ok(performance.now() - beganMs >= 49);
    proxy.set({ state: "silent" });
    const silent = isCut();
    setTimeout(() => proxy.set({}), 100);
    assert.ok(await silent);
    assert.equal((await put()).status, 200);
  });

  it("hits the share it is told to", async () => {
    proxy.set({ errors: 0.5 });
    const statuses = await Promise.all(
      Array.from({ length: 60 }, async () => (await put()).status),
    );
    const failed = statuses.filter((status) => status === 500).length;
    assert.ok(failed > 10 && failed < 50, `${failed} of 60`);
  });
});
