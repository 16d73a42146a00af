/** The listener behind TLS, with real clients of both versions of HTTP. */
import assert from "node:assert/strict";
import http2 from "node:http2";
import https from "node:https";
import net from "node:net";
import { after, describe, it } from "node:test";
import type { TLSSocket } from "node:tls";
import { selfSigned } from "../test/self-signed.ts";
import { sendJson } from "./answer.ts";
import type { HttpRequest, HttpResponse } from "./exchange.ts";
import { Listener } from "./listener.ts";

const first = selfSigned();
const second = selfSigned();

describe("a listener with a certificate", { skip: first === undefined && "no openssl" }, () => {
  const open: Listener[] = [];
  after(() => Promise.all(open.map((listener) => listener.drain(0))));

  const start = async (withHttp2: boolean): Promise<Listener> => {
    const handle = ({ url = "" }: HttpRequest, response: HttpResponse): void =>
      void sendJson(response, 200, JSON.stringify({ url }));
    const listener = await Listener.listen({
      host: "127.0.0.1",
      port: 0,
      source: "ingress",
      handle,
      ...(withHttp2 && { http2: handle }),
      tls: first ?? null,
      onError: (error) => assert.fail(String(error)),
    });
    open.push(listener);
    return listener;
  };

  /** The body, and the certificate it came with. */
  const get = (url: string, ca: string): Promise<{ body: string; serial: string }> =>
    new Promise((resolve, reject) => {
      const request = https.get(url, { ca, agent: false }, (response) => {
        const { serialNumber: serial } = (response.socket as TLSSocket).getPeerCertificate();
        let body = "";
        response.on("data", (chunk: Buffer) => (body += chunk.toString()));
        response.on("end", () => resolve({ body, serial }));
      });
      request.on("error", reject);
    });

  it("speaks HTTP/1.1", async () => {
    for (const withHttp2 of [true, false]) {
      const listener = await start(withHttp2);
      assert.match(listener.url, /^https:\/\/127\.0\.0\.1:\d+$/);
      const { body } = await get(`${listener.url}/a`, first?.cert ?? "");
      assert.equal(body, '{"url":"/a"}');
    }
  });

  it("speaks HTTP/2 where ALPN asks for it", async () => {
    const listener = await start(true);
    const session = http2.connect(listener.url, { ca: first?.cert ?? "" });
    const stream = session.request({ ":path": "/b" });
    let body = "";
    for await (const chunk of stream) body += String(chunk);
    assert.equal(body, '{"url":"/b"}');
    session.close();
  });

  it("takes another certificate while it listens, and refuses a broken one", async () => {
    assert.ok(first !== undefined && second !== undefined);
    const listener = await start(true);
    const before = await get(listener.url, first.cert);
    assert.throws(() => listener.renew({ cert: second.cert, key: first.key }));
    assert.equal((await get(listener.url, first.cert)).serial, before.serial);
    listener.renew(second);
    const now = await get(listener.url, second.cert);
    assert.notEqual(now.serial, before.serial);
  });

  it("cuts whoever does not speak TLS, and goes on", async () => {
    const listener = await start(true);
    const socket = net.connect(listener.port, "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    socket.on("error", () => {});
    await new Promise((resolve) => socket.once("close", resolve));
    assert.equal((await get(`${listener.url}/`, first?.cert ?? "")).body, '{"url":"/"}');
  });
});
