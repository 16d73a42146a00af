import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { createSecureServer, createServer as createHttp2Server } from "node:http2";
import { createServer as createHttpsServer } from "node:https";
import { describe, it } from "node:test";
import { IdentityVerifier } from "../../sdk/endpoint/identity.ts";
import { deploymentFrom, discover, DiscoveryError, type DiscoverOptions } from "./discover.ts";
import { deadPort, Listening, rawServer } from "./endpoints.suite.ts";
import { selfSigned } from "../test/self-signed.ts";
import { RequestIdentity } from "./request-identity.ts";

const CONTENT_TYPE = "application/vnd.restate.endpointmanifest.v4+json";
const MANIFEST = {
  protocolMode: "BIDI_STREAM",
  minProtocolVersion: 5,
  maxProtocolVersion: 7,
  services: [{ name: "Greeter", ty: "SERVICE", handlers: [{ name: "greet" }] }],
};

interface Answer {
  status?: number;
  headers?: Record<string, string>;
  body?: string;
}

interface Seen {
  url: string;
  headers: Record<string, unknown>;
}

interface Answering extends AsyncDisposable {
  readonly uri: string;
  readonly seen: Seen[];
}

function answering(listening: Listening, scheme: string, seen: Seen[]): Answering {
  return {
    uri: `${scheme}://127.0.0.1:${listening.port}/`,
    seen,
    [Symbol.asyncDispose]: () => listening[Symbol.asyncDispose](),
  };
}

/** A handler for all kinds of servers that gives these answers one after the other, the last one for good. */
function answers(list: readonly Answer[], seen: Seen[]) {
  return (
    request: { url?: string | undefined; headers: Record<string, unknown> },
    response: {
      writeHead(status: number, headers: Record<string, string>): unknown;
      end(body: string): unknown;
    },
  ): void => {
    const answer = list[Math.min(seen.length, list.length - 1)] ?? {};
    seen.push({ url: request.url ?? "", headers: request.headers });
    const headers = { "content-type": CONTENT_TYPE, ...answer.headers };
    response.writeHead(answer.status ?? 200, headers);
    response.end(answer.body ?? JSON.stringify(MANIFEST));
  };
}

async function http2Endpoint(...list: Answer[]): Promise<Answering> {
  const seen: Seen[] = [];
  const serve = answers(list, seen);
  const server = createHttp2Server((request, response) => serve(request, response));
  return answering(await Listening.on(server), "http", seen);
}

async function http1Endpoint(...list: Answer[]): Promise<Answering> {
  const seen: Seen[] = [];
  return answering(await Listening.on(createServer(answers(list, seen))), "http", seen);
}

function find(uri: string, useHttp11 = false, options: DiscoverOptions = {}) {
  return discover({ uri, useHttp11, additionalHeaders: {} }, options);
}

async function refusal(
  uri: string,
  useHttp11 = false,
  options: DiscoverOptions = {},
): Promise<DiscoveryError> {
  const error: unknown = await find(uri, useHttp11, options).catch((thrown: unknown) => thrown);
  assert(error instanceof DiscoveryError, `not refused: ${JSON.stringify(error)}`);
  assert.equal(error.status, 500);
  return error;
}

function body(over: Record<string, unknown>): Answer {
  return { body: JSON.stringify({ ...MANIFEST, ...over }) };
}

describe("discovery", () => {
  it("finds an endpoint over HTTP/2 without encryption", async () => {
    await using endpoint = await http2Endpoint({ headers: { "x-restate-server": "my-sdk/1.2.3" } });
    const found = await discover({
      uri: `${endpoint.uri}base/?tenant=1`,
      useHttp11: false,
      additionalHeaders: { Authorization: "Bearer x" },
    });
    assert.deepEqual(found, {
      manifest: MANIFEST,
      httpVersion: "HTTP/2.0",
      sdkVersion: "my-sdk/1.2.3",
    });
    const [seen] = endpoint.seen;
    assert.equal(seen?.url, "/base/discover?tenant=1");
    assert.equal(seen?.headers["authorization"], "Bearer x");
    assert.match(
      String(seen?.headers["accept"]),
      /^application\/vnd\.restate\.endpointmanifest\.v1\+json, .*v2\+json, .*v3\+json, .*v4\+json$/,
    );
    const facts = {
      id: "dp_1",
      uri: endpoint.uri,
      additionalHeaders: {},
      metadata: {},
      createdAtMs: 1,
    };
    assert.deepEqual(deploymentFrom(found, facts), {
      ...facts,
      protocolMode: "BIDI_STREAM",
      httpVersion: "HTTP/2.0",
      minProtocolVersion: 5,
      maxProtocolVersion: 7,
      sdkVersion: "my-sdk/1.2.3",
      services: MANIFEST.services,
      drainingSinceMs: null,
    });
  });

  it("finds an endpoint over HTTP/1.1 when told so", async () => {
    await using endpoint = await http1Endpoint({});
    const found = await find(endpoint.uri, true);
    assert.deepEqual([found.httpVersion, found.sdkVersion], ["HTTP/1.1", null]);
    assert.equal(endpoint.seen.length, 1);
  });

  it("drops an SDK version that is no name", async () => {
    await using endpoint = await http1Endpoint({ headers: { "x-restate-server": "a b" } });
    assert.equal((await find(endpoint.uri, true)).sdkVersion, null);
  });

  it("waits a little for an endpoint that is starting", async () => {
    await using endpoint = await http2Endpoint(
      { status: 503 },
      { status: 429 },
      { status: 500 },
      {},
    );
    assert.equal((await find(endpoint.uri)).httpVersion, "HTTP/2.0");
    assert.equal(endpoint.seen.length, 4);
  });

  it("waits a little for a port behind which nothing is ready yet", async () => {
    const ready = createHttp2Server((request, response) => answers([{}], [])(request, response));
    let refused = 0;
    const opensAtMs = performance.now() + 150;
    await using server = await rawServer((socket) => {
      if (performance.now() >= opensAtMs) return ready.emit("connection", socket);
      refused += 1;
      return socket.destroy();
    });
    const found = await find(`http://127.0.0.1:${server.port}/`);
    assert.equal(found.httpVersion, "HTTP/2.0");
    assert(refused > 0);
  });

  it("takes a bad header to be a mistake of the request", async () => {
    const error: unknown = await discover({
      uri: "http://127.0.0.1:1/",
      useHttp11: false,
      additionalHeaders: { "x-secret": "top\nsecret" },
    }).catch((thrown: unknown) => thrown);
    assert(error instanceof DiscoveryError && error.code === "META0003");
    assert.match(error.message, /x-secret/);
    assert.doesNotMatch(error.message, /top/);
  });
});

describe("a signed discovery", () => {
  const pem = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" });
  const identity = RequestIdentity.fromPem(pem.toString());

  it("carries a token of its own with each try, whatever the path of the endpoint", async () => {
    let nowMs = 1_000_000_000_000;
    const clock = { nowMs: () => (nowMs += 1000) };
    await using endpoint = await http2Endpoint({ status: 503 }, {});
    await find(`${endpoint.uri}base/`, false, { identity, clock });
    const tokens = endpoint.seen.map(({ headers }) => headers["x-restate-jwt-v1"]);
    assert.equal(new Set(tokens).size, 2);
    const verifier = new IdentityVerifier([identity.publicKey]);
    for (const { url, headers } of endpoint.seen) {
      const [scheme, token] = [headers["x-restate-signature-scheme"], headers["x-restate-jwt-v1"]];
      const request = { path: url, scheme: String(scheme), token: String(token) };
      assert(verifier.accepts(request, nowMs));
    }
  });

  it("is not signed without a key", async () => {
    await using endpoint = await http2Endpoint({});
    await find(endpoint.uri);
    const [seen] = endpoint.seen;
    assert.equal(seen?.headers["x-restate-signature-scheme"], undefined);
    assert.equal(seen?.headers["x-restate-jwt-v1"], undefined);
  });
});

describe("discovery refuses", () => {
  it("META0003: an endpoint that is not there, after a second", async () => {
    const begunMs = performance.now();
    const error = await refusal(`http://127.0.0.1:${await deadPort()}/`);
    assert.equal(error.code, "META0003");
    assert.match(error.message, /nothing listens there/);
    const tookMs = performance.now() - begunMs;
    assert(tookMs > 700 && tookMs < 3000, `${tookMs} ms`);
  });

  it("META0003: an endpoint that never answers", async () => {
    await using server = await rawServer((socket) => socket.resume());
    for (const useHttp11 of [false, true]) {
      const uri = `http://127.0.0.1:${server.port}/`;
      const error = await refusal(uri, useHttp11, { timeoutMs: 100 });
      assert.equal(error.code, "META0003");
      assert.match(error.message, /does not answer: no answer within \d+ ms/);
    }
  });

  const statuses: [Answer, RegExp][] = [
    [{ status: 404, body: '{"message":"no"}' }, /404 to GET \/discover \(it says: .*no.*\); check/],
    [{ status: 401 }, /401.*credentials/],
    [{ status: 415 }, /415.*manifest versions 1, 2, 3, 4/],
    [{ status: 400 }, /400/],
    [{ status: 204, body: "" }, /204/],
    [{ status: 302, headers: { location: "http://169.254.169.254/" } }, /redirect to http.*final/],
    [{ status: 308 }, /redirect; register/],
    [{ status: 503, body: "busy" }, /503.*busy/],
  ];
  for (const [answer, message] of statuses) {
    it(`META0003: an answer ${answer.status}`, async () => {
      await using endpoint = await http2Endpoint(answer);
      const error = await refusal(endpoint.uri);
      assert.equal(error.code, "META0003");
      assert.match(error.message, message);
      assert.equal(endpoint.seen.length, answer.status === 503 ? 5 : 1);
    });
  }

  const manifests: [string, Answer, RegExp][] = [
    ["a web page", { headers: { "content-type": "text/html" }, body: "<html>" }, /text\/html/],
    [
      "parameters in the content type",
      { headers: { "content-type": `${CONTENT_TYPE}; charset=utf-8` } },
      /charset=utf-8/,
    ],
    ["no JSON", { body: "{" }, /not valid/],
    ["an unknown field", body({ color: "red" }), /color is not a known field/],
    ["a bad name", body({ services: [{ name: "a b", ty: "SERVICE", handlers: [] }] }), /name/],
    ["no mode", body({ protocolMode: undefined }), /protocolMode/],
  ];
  for (const [what, answer, message] of manifests) {
    it(`META0013: ${what}`, async () => {
      await using endpoint = await http2Endpoint(answer);
      const error = await refusal(endpoint.uri);
      assert.equal(error.code, "META0013");
      assert.match(error.message, message);
    });
  }

  it("META0013: an answer without bound", async () => {
    for (const isHttp1 of [false, true]) {
      const flood = { body: " ".repeat(300_000) };
      await using endpoint = await (isHttp1 ? http1Endpoint(flood) : http2Endpoint(flood));
      const error = await refusal(endpoint.uri, isHttp1, { bodyBytesMax: 100_000 });
      assert.equal(error.code, "META0013");
      assert.match(error.message, /above 100000 bytes/);
    }
  });

  it("META0012: protocol versions that do not meet", async () => {
    for (const [min, max, message] of [
      [1, 4, /1 to 4, this server speaks 5 to 7; use a newer SDK/],
      [8, 9, /8 to 9, this server speaks 5 to 7; use a newer server/],
    ] as const) {
      await using endpoint = await http2Endpoint(
        body({ minProtocolVersion: min, maxProtocolVersion: max }),
      );
      const error = await refusal(endpoint.uri);
      assert.equal(error.code, "META0012");
      assert.match(error.message, message);
    }
  });

  it("META0014: an HTTP/1.1 endpoint asked over HTTP/2", async () => {
    await using endpoint = await http1Endpoint({});
    const error = await refusal(endpoint.uri);
    assert.equal(error.code, "META0014");
    assert.match(error.message, /use_http_11/);
  });

  it("META0003: what speaks no HTTP at all", async () => {
    await using server = await rawServer((socket) => socket.end("220 mail.example.com ESMTP\r\n"));
    const error = await refusal(`http://127.0.0.1:${server.port}/`);
    assert.equal(error.code, "META0003");
    assert.match(error.message, /does not speak HTTP.*https:/);
  });

  it("META0003: an HTTP/2 endpoint asked over HTTP/1.1", async () => {
    await using endpoint = await http2Endpoint({});
    assert.equal((await refusal(endpoint.uri, true)).code, "META0003");
  });

  it("META0015: streaming both ways over HTTP/1.0", async () => {
    for (const [protocolMode, isRefused] of [
      ["BIDI_STREAM", true],
      ["REQUEST_RESPONSE", false],
    ] as const) {
      await using server = await rawServer((socket) => {
        const json = JSON.stringify({ ...MANIFEST, protocolMode });
        socket.on("data", () =>
          socket.end(`HTTP/1.0 200 OK\r\ncontent-type: ${CONTENT_TYPE}\r\n\r\n${json}`),
        );
      });
      const uri = `http://127.0.0.1:${server.port}/`;
      if (isRefused) assert.equal((await refusal(uri, true)).code, "META0015");
      else assert.equal((await find(uri, true)).httpVersion, "HTTP/1.1");
    }
  });
});

describe("discovery over TLS", { skip: selfSigned() === undefined ? "no openssl" : false }, () => {
  const certificate = selfSigned() ?? { key: "", cert: "" };
  const ca = certificate.cert;

  async function secure(isHttp2: boolean): Promise<Answering> {
    const seen: Seen[] = [];
    const serve = answers([{}], seen);
    const server = isHttp2
      ? createSecureServer(certificate, (request, response) => serve(request, response))
      : createHttpsServer(certificate, serve);
    return answering(await Listening.on(server), "https", seen);
  }

  it("agrees on the HTTP version with the endpoint", async () => {
    for (const [isHttp2, httpVersion] of [
      [true, "HTTP/2.0"],
      [false, "HTTP/1.1"],
    ] as const) {
      await using endpoint = await secure(isHttp2);
      assert.equal((await find(endpoint.uri, false, { ca })).httpVersion, httpVersion);
    }
  });

  it("uses HTTP/1.1 when told so", async () => {
    await using endpoint = await secure(false);
    assert.equal((await find(endpoint.uri, true, { ca })).httpVersion, "HTTP/1.1");
  });

  it("refuses a certificate that is not trusted", async () => {
    await using endpoint = await secure(true);
    const error = await refusal(endpoint.uri);
    assert.equal(error.code, "META0003");
    assert.match(error.message, /self-signed and not trusted/);
  });

  it("says when a TLS endpoint is asked without", async () => {
    await using endpoint = await secure(true);
    const error = await refusal(endpoint.uri.replace("https:", "http:"));
    assert.equal(error.code, "META0003");
    assert.match(error.message, /if it speaks TLS, use https/);
  });
});
