/** The client with interfaces and with a codec, on a fetch that notes what it is asked. */
import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { iface } from "../define/descriptor.ts";
import type { JournalValueCodec } from "../define/journal-value-codec.ts";
import { type Serde, serde } from "../define/serde.ts";
import { type ConnectionOpts, rpc } from "./api.ts";
import { connect } from "./connect.ts";

const shouted: Serde<string> = {
  contentType: "text/plain",
  serialize: (text) => new TextEncoder().encode(text.toUpperCase()),
  deserialize: (data) => new TextDecoder().decode(data).toLowerCase(),
};
/** Every byte is turned around. */
const turned: JournalValueCodec = {
  encode: (buf) => buf.map((byte) => byte ^ 0xff),
  decode: async (buf) => buf.map((byte) => byte ^ 0xff),
};
const turn = (text: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(turned.encode(new TextEncoder().encode(text)));

const greeter = iface.service("Greeter", { ping: iface.json<void, string>() });
const account = iface.object("Account", {
  rename: iface.serdes({ input: shouted, output: shouted }),
  add: iface.json<number, number>(),
});

const asked: { path: string; body: Uint8Array; type: string | null }[] = [];
let answer = new Response();
beforeEach(() => {
  asked.length = 0;
});
const ingress = (opts: Partial<ConnectionOpts> = {}) =>
  connect({
    url: "http://ingress.invalid",
    fetch: async (target, init) => {
      const request = new Request(target, init);
      const body = new Uint8Array(await request.clone().arrayBuffer());
      const { pathname } = new URL(request.url);
      asked.push({ path: pathname, body, type: request.headers.get("content-type") });
      return answer;
    },
    ...opts,
  });
const texts = (): unknown[] =>
  asked.map(({ path, body, type }) => [path, new TextDecoder().decode(body), type]);

describe("a client of an interface", () => {
  it("uses the serdes it declares, unless the call says otherwise", async () => {
    answer = new Response("ADA!");
    const client = ingress().client(account, "a/b");
    const renamed: string = await client.rename("ada");
    assert.equal(renamed, "ada!");
    answer = new Response('"json"');
    const opts = rpc.opts<string, string>({ input: serde.json, output: serde.json });
    assert.equal(await client.rename("ada", opts), "json");
    assert.deepEqual(texts(), [
      ["/Account/a%2Fb/rename", "ADA", "text/plain"],
      ["/Account/a%2Fb/rename", '"ada"', "application/json"],
    ]);
  });

  it("sends without waiting, and takes no argument where there is none", async () => {
    answer = new Response('{"invocationId":"inv_1x","status":"Accepted"}');
    const sent = await ingress().sendClient(account, "k").rename("ada");
    assert.equal(sent.invocationId, "inv_1x");
    answer = new Response('"pong"');
    const pong: string = await ingress().client(greeter).ping();
    assert.equal(pong, "pong");
    assert.deepEqual(texts(), [
      ["/Account/k/rename/send", "ADA", "text/plain"],
      ["/Greeter/ping", "", "application/json"],
    ]);
  });

  it("has the types of the interface", () => {
    const use = (): void => {
      // @ts-expect-error -- an object has keys
      void ingress().client(account).add(1);
      // @ts-expect-error -- it takes a number
      void ingress().client(account, "k").add("1");
      // @ts-expect-error -- it takes nothing
      void ingress().sendClient(greeter).ping(1);
    };
    assert.equal(typeof use, "function");
  });
});

describe("a client with a journal value codec", () => {
  const coded = () => ingress({ journalValueCodec: turned });

  it("encodes what handlers are given, and decodes what they return", async () => {
    answer = new Response(turn('"pong"'));
    assert.equal(await coded().client(greeter).ping(), "pong");
    answer = new Response(turn("2"));
    assert.equal(await coded().client(account, "k").add(1), 2);
    answer = new Response("{}");
    await coded().resolveAwakeable("sign_1x", 7);
    answer = new Response('{"status":"Accepted"}');
    await coded().send("inv_1x", "topic", 8);
    answer = new Response('{"invocationId":"inv_1x","status":"Accepted"}');
    const send = await coded().sendClient(account, "k").add(9);
    assert.deepEqual(
      asked.map(({ body }) => body),
      ["", "1", "7", "8", "9"].map(turn),
    );
    answer = new Response(turn("10"));
    assert.equal(await coded().result(send), 10);
    answer = new Response(turn("11"), { headers: { etag: '"3"' } });
    assert.deepEqual(await coded().getEvent("inv_1x", "k"), { value: 11, version: 3 });
  });
});
