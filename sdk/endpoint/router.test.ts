import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Context } from "../define/context.ts";
import { service } from "../define/service.ts";
import { parseManifest } from "../protocol/manifest.ts";
import { route, type Routed } from "./router.ts";
import { ServedServices } from "./served-services.ts";

const greeter = service({
  name: "Greeter",
  handlers: { greet: async (_ctx: Context, name: string) => `Hello ${name}` },
});
const services = new ServedServices({ services: [greeter] });
const V4 = "application/vnd.restate.endpointmanifest.v4+json";
const V6 = "application/vnd.restate.invocation.v6";

interface Asked {
  readonly contentType?: string | undefined;
  readonly accept?: string | undefined;
  readonly isAuthorized?: boolean;
}

function ask(url: string, { contentType, accept, isAuthorized = true }: Asked = {}): Routed {
  const headers = { "content-type": contentType, accept };
  return route(services, { url, headers, isAuthorized }, { protocolMode: "BIDI_STREAM" });
}

function statusOf(url: string, request?: Asked): number | "invoke" {
  const routed = ask(url, request);
  if (routed.kind === "invoke") return "invoke";
  if (routed.status === 200) return 200;
  assert.equal(routed.contentType, "application/json");
  const body: unknown = JSON.parse(routed.body);
  assert.ok(typeof body === "object" && body !== null && "message" in body);
  return routed.status;
}

describe("a request to an endpoint", () => {
  it("invokes a handler in every version served, under any prefix, with any query", () => {
    for (const version of [5, 7]) {
      const contentType = `application/vnd.restate.invocation.v${version}`;
      const routed = ask("/invoke/Greeter/greet", { contentType });
      assert.ok(routed.kind === "invoke");
      assert.deepEqual([routed.version, routed.handler.handler], [version, "greet"]);
    }
    assert.equal(statusOf("/a/b/invoke/Greeter/greet?x=/y/z", { contentType: V6 }), "invoke");
  });

  it("is 404 for what is not served", () => {
    const paths = ["/", "/x", "/invoke/Greeter", "/invoke", "/Greeter/greet", "/a/b/c", "", "//"];
    for (const path of paths) assert.equal(statusOf(path, { contentType: V6 }), 404, path);
    assert.equal(statusOf("/invoke/Nobody/greet", { contentType: V6 }), 404);
    assert.equal(statusOf("/invoke/Greeter/nothing", { contentType: V6 }), 404);
    assert.equal(statusOf("/invoke/Greeter/toString", { contentType: V6 }), 404);
  });

  it("is 415 for versions that are not served", () => {
    const types = [4, 8].map((version) => `application/vnd.restate.invocation.v${version}`);
    for (const contentType of [undefined, "application/json", `${V6}; charset=utf-8`, ...types]) {
      assert.equal(statusOf("/invoke/Greeter/greet", { contentType }), 415, contentType);
    }
    for (const accept of [undefined, "*/*", "application/vnd.restate.endpointmanifest.v1+json"]) {
      assert.equal(statusOf("/discover", { accept }), 415, accept);
    }
  });

  it("is 401 without a signature that is needed, except for health", () => {
    const isAuthorized = false;
    assert.equal(statusOf("/discover", { accept: V4, isAuthorized }), 401);
    assert.equal(statusOf("/invoke/Greeter/greet", { contentType: V6, isAuthorized }), 401);
    assert.equal(statusOf("/x", { isAuthorized }), 401);
    assert.equal(statusOf("/health", { isAuthorized }), 200);
  });

  it("is answered with the manifest of the highest version accepted, exactly typed", () => {
    const accept = `application/vnd.restate.endpointmanifest.v3+json, ${V4}`;
    const routed = ask("/prefix/discover", { accept });
    assert.ok(routed.kind === "answer");
    assert.deepEqual([routed.status, routed.contentType], [200, V4]);
    const manifest = parseManifest(JSON.parse(routed.body));
    assert.equal(manifest.protocolMode, "BIDI_STREAM");
    assert.deepEqual([manifest.minProtocolVersion, manifest.maxProtocolVersion], [5, 7]);
  });

  it("is told that all is well", () => {
    const routed = ask("/prefix/health");
    assert.deepEqual(routed, {
      kind: "answer",
      status: 200,
      contentType: "application/text",
      body: "OK",
    });
  });
});

describe("an endpoint", () => {
  it("refuses two services of one name, and what is no service", () => {
    assert.throws(() => new ServedServices({ services: [greeter, greeter] }), /"Greeter"/);
    assert.throws(() => new ServedServices({ services: [{ name: "X" }] }), /only names a service/);
  });
});
