/** The entries of the package: each has all of the API, and `fetch` runs where there is nothing of Node. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import vm from "node:vm";
import { build } from "esbuild";
import { MessageType } from "./protocol/message-type.ts";
import { decodeMessage, encodeMessage } from "./protocol/codec.ts";
import { FrameDecoder } from "./protocol/frame.ts";
import type { Message } from "./protocol/messages.ts";
import { input, start } from "./replay/machine.suite.ts";

/** The names a module exports, types included, each with where it is from. */
function exportsOf(file: string): Map<string, string> {
  const text = readFileSync(file, "utf8");
  const lists = text.matchAll(/^export (?:type )?\{([^}]*)\} from "([^"]+)";/gm);
  return new Map(
    [...lists].flatMap(([, list = "", from = ""]) =>
      list
        .split(",")
        .map((name) => name.trim().replace(/^type /, ""))
        .filter((name) => name !== "")
        .map((name) => [name, from] as const),
    ),
  );
}

const ENDPOINTS = /^\.\/endpoint\/(?:builder|[a-z]+-endpoint)\.ts$/;

function commonNames(file: string): string[] {
  return [...exportsOf(file)]
    .filter(([, from]) => !ENDPOINTS.test(from))
    .map(([name, from]) => `${name} from ${from}`)
    .toSorted((a, b) => (a < b ? -1 : 1));
}

describe("the entries of the SDK", () => {
  it("have the same names, but for the endpoint itself", () => {
    const names = commonNames("sdk/index.ts");
    assert.ok(names.length > 50, `${names.length} names`);
    assert.deepEqual(commonNames("sdk/fetch.ts"), names);
    assert.deepEqual(commonNames("sdk/lambda.ts"), names);
  });

  it("make their endpoints in the same two ways", () => {
    for (const entry of ["index", "fetch", "lambda"]) {
      const names = exportsOf(`sdk/${entry}.ts`);
      assert.ok(names.has("createEndpointHandler") && names.has("endpoint"), entry);
    }
  });
});

/** The globals of a runtime without anything of Node: no `process`, no `Buffer`, no `setImmediate`. */
const WEB_GLOBALS = [
  "AbortController",
  "AbortSignal",
  "ByteLengthQueuingStrategy",
  "Headers",
  "ReadableStream",
  "Request",
  "Response",
  "TextDecoder",
  "TextEncoder",
  "URL",
  "atob",
  "btoa",
  "clearTimeout",
  "console",
  "crypto",
  "fetch",
  "queueMicrotask",
  "setTimeout",
] as const;

describe("the entry for fetch", () => {
  it("runs a handler in a runtime that has nothing of Node", async () => {
    const bundle = await build({
      stdin: { contents: PROGRAM, resolveDir: "sdk", loader: "ts" },
      bundle: true,
      format: "iife",
      // Modules of Node are not found with it.
      platform: "neutral",
      write: false,
    });
    const globals = WEB_GLOBALS.map((name) => [name, globalThis[name]] as const);
    const sandbox: { handler?: (request: Request) => Promise<Response> } = {};
    const context = vm.createContext(Object.assign(sandbox, Object.fromEntries(globals)));
    vm.runInContext(bundle.outputFiles[0]?.text ?? "", context);
    assert.ok(sandbox.handler);
    const response = await sandbox.handler(
      new Request("https://example.org/restate/invoke/S/h", {
        method: "POST",
        headers: { "content-type": "application/vnd.restate.invocation.v6" },
        body: Buffer.concat([start(1), input("2")].map((message) => encodeMessage(message))),
      }),
    );
    assert.equal(response.status, 200);
    const [command, proposal] = messagesOf(new Uint8Array(await response.arrayBuffer()));
    assert.equal(command?.type, MessageType.RunCommand);
    assert.ok(proposal?.type === MessageType.ProposeRunCompletion);
    assert.ok(proposal.result.kind === "value");
    assert.equal(new TextDecoder().decode(proposal.result.value), "42");
  });
});

const PROGRAM = `
import { createEndpointHandler, service, type Context } from "./fetch.ts";
const s = service({
  name: "S",
  handlers: { h: async (ctx: Context, factor: number) => await ctx.run("answer", async () => 21 * factor) },
});
globalThis.handler = createEndpointHandler({ services: [s] });
`;

function messagesOf(bytes: Uint8Array): Message[] {
  const decoder = new FrameDecoder(1 << 20);
  decoder.push(bytes);
  const messages: Message[] = [];
  for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
    messages.push(decodeMessage(frame.type, frame.body));
  }
  return messages;
}
