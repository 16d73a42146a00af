/** The endpoint for fetch, with requests and responses made by hand. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import { encodeMessage } from "../protocol/codec.ts";
import {
  END,
  input,
  output,
  proposed,
  ran,
  runCommand,
  suspended,
  value,
} from "../replay/machine.suite.ts";
import { createEndpointHandler, endpoint, type FetchHandler } from "./fetch-endpoint.ts";
import { keyText, signedHeaders } from "./identity.suite.ts";
import { invocation, MANIFEST_V4, messagesOf, seen, tested, V6 } from "./requests.suite.ts";

const handler = createEndpointHandler({ services: [tested] });
const streaming = createEndpointHandler({ services: [tested], bidirectional: true });

interface Asked {
  readonly body?: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

function invoke(name: string, { body, headers, signal }: Asked): Request {
  return new Request(`https://example.org/some/where/invoke/T/${name}?x=/discover`, {
    method: "POST",
    headers: { "content-type": V6, ...headers },
    duplex: "half",
    ...(body && { body }),
    ...(signal && { signal }),
  });
}

const bytesOf = async (response: Response): Promise<Uint8Array> =>
  new Uint8Array(await response.arrayBuffer());

/** A request body to write to while the response is read. */
function pipe(): {
  body: ReadableStream<Uint8Array>;
  send: (bytes: Uint8Array) => void;
  end: () => void;
} {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({ start: (given) => void (controller = given) });
  return {
    body,
    send: (bytes) => controller?.enqueue(new Uint8Array(bytes)),
    end: () => controller?.close(),
  };
}

async function discover(by: FetchHandler, headers: Record<string, string> = {}): Promise<Response> {
  const url = "https://example.org/a/discover";
  return await by(new Request(url, { headers: { accept: MANIFEST_V4, ...headers } }));
}

describe("an endpoint for fetch", () => {
  it("answers an invocation", async () => {
    const response = await handler(invoke("echo", { body: invocation(input('"hi"')) }));
    assert.deepEqual([response.status, response.headers.get("content-type")], [200, V6]);
    assert.match(String(response.headers.get("x-restate-server")), /^holdfast-sdk-typescript\//);
    assert.deepEqual(messagesOf(await bytesOf(response)), [output(value('"hi"')), END]);
  });

  it("executes a step and suspends on its result", async () => {
    const response = await handler(invoke("step", { body: invocation(input()) }));
    const expected = [runCommand(1, "a"), proposed(1, value("42")), suspended([1])];
    assert.deepEqual(messagesOf(await bytesOf(response)), expected);
  });

  it("goes on with what the server sends meanwhile, when it streams both ways", async () => {
    const { body, send, end } = pipe();
    const response = await streaming(invoke("step", { body }));
    assert.ok(response.body);
    const reader = response.body.getReader();
    const read: Uint8Array[] = [];
    const until = async (count: number): Promise<void> => {
      while (messagesOf(Buffer.concat(read)).length < count) {
        const { value: chunk } = (await reader.read()) as { value?: Uint8Array };
        assert.ok(chunk);
        read.push(chunk);
      }
    };
    send(invocation(input()));
    await until(2);
    send(encodeMessage(ran(1, value("42"))));
    await until(4);
    assert.deepEqual(messagesOf(Buffer.concat(read)).slice(2), [output(value("42")), END]);
    assert.equal((await reader.read()).done, true);
    end();
  });

  it("waits for a server that reads slowly", async () => {
    const journal = invocation(input(), runCommand(1, "size"), ran(1, value("1")));
    const response = await streaming(invoke("big", { body: journal }));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const messages = messagesOf(await bytesOf(response));
    assert.equal(messages.length, 42);
    assert.deepEqual(messages.at(-1), END);
  });

  for (const how of ["aborts the request", "cancels the response", "breaks off the request"]) {
    it(`drops the handler when the server ${how}`, async () => {
      seen.length = 0;
      const controller = new AbortController();
      const parts = [invocation(input())];
      const body = new ReadableStream<Uint8Array>({
        pull: (to) => {
          const part = parts.shift();
          if (part !== undefined) return to.enqueue(part);
          if (how === "breaks off the request") to.error(new Error("reset"));
        },
      });
      const response = await streaming(invoke("wait", { body, signal: controller.signal }));
      await new Promise((resolve) => setTimeout(resolve, 10));
      if (how === "aborts the request") controller.abort();
      if (how === "cancels the response") await response.body?.cancel();
      for (let tries = 0; tries < 100 && seen.length === 0; tries += 1) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      assert.deepEqual(seen, ["aborted"]);
    });
  }

  it("tells the handler what the runtime passed with the request", async () => {
    seen.length = 0;
    const request = invoke("extra", { body: invocation(input()), headers: { "x-from": "here" } });
    await handler(request, { KV: 1 }, "context");
    assert.deepEqual(seen, [{ KV: 1 }, "context", "here"]);
  });

  it("answers discovery, health and what it does not know", async () => {
    const manifest = await discover(handler);
    assert.equal(manifest.headers.get("content-type"), MANIFEST_V4);
    assert.match(await manifest.text(), /"protocolMode":"REQUEST_RESPONSE"/);
    assert.match(await (await discover(streaming)).text(), /"protocolMode":"BIDI_STREAM"/);
    const health = await handler(new Request("https://example.org/health"));
    assert.equal(await health.text(), "OK");
    assert.equal((await handler(new Request("https://example.org/"))).status, 404);
  });

  it("serves only signed requests when it has keys", async () => {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const guarded = endpoint().bind(tested).withIdentityV1(keyText(publicKey)).handler().fetch;
    assert.equal((await discover(guarded)).status, 401);
    assert.equal((await discover(guarded, signedHeaders(privateKey, "/discover"))).status, 200);
    const headers = signedHeaders(privateKey, "/invoke/T/echo");
    const signed = await guarded(invoke("echo", { body: invocation(input('"hi"')), headers }));
    assert.deepEqual(messagesOf(await bytesOf(signed)), [output(value('"hi"')), END]);
    const other = await guarded(invoke("step", { body: invocation(input()), headers }));
    assert.equal(other.status, 401);
  });

  it("is made step by step, too", async () => {
    const lines: unknown[] = [];
    const made = endpoint()
      .bind(tested)
      .setLogger((_about, message) => lines.push(message))
      .defaultServiceOptions({ ingressPrivate: true })
      .bidirectional();
    assert.match(await (await discover(made.handler().fetch)).text(), /"ingressPrivate":true/);
    const manifest = await (await discover(made.bidirectional(false).handler().fetch)).text();
    assert.match(manifest, /"protocolMode":"REQUEST_RESPONSE"/);
    await made.handler().fetch(invoke("echo", { body: invocation(input("no JSON")) }));
    assert.equal(lines.length, 0);
  });
});
