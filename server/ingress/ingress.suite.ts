/** An ingress on a socket in front of a door that answers as the test says. */
import assert from "node:assert/strict";
import { after } from "node:test";
import { invocationIdToString } from "../../sdk/protocol/ids.ts";
import type { Outcome } from "../../sdk/protocol/messages.ts";
import { Listener } from "../http/listener.ts";
import type { Reply } from "../machine/effect.ts";
import type { Input } from "../machine/input.ts";
import { FakeDoor, service } from "./fake-door.suite.ts";
import { Ingress, type IngressOptions } from "./ingress.ts";
import { ResultWaiters } from "./waiters.ts";

export const NOW_MS = Date.parse("2026-11-23T09:04:46.167Z");
export const EXPIRES_MS = Date.parse("2026-11-24T08:04:56.140Z");
export const ID = Uint8Array.from({ length: 24 }, (_, at) => at + 1);
export const ID_TEXT = invocationIdToString(ID);
export const JSON_BODY = { "content-type": "application/json" };

const open: Listener[] = [];
after(() => Promise.all(open.map((listener) => listener.drain(0))));

export interface Fixture {
  readonly door: FakeDoor;
  readonly waiters: ResultWaiters;
  readonly port: number;
  readonly url: string;
}

export async function start(options: Partial<IngressOptions> = {}): Promise<Fixture> {
  const door = new FakeDoor();
  const json = { contentType: "application/json" };
  door.register(
    service("Greeter", [
      { name: "greet", input: json, output: json },
      { name: "raw" },
      { name: "text", output: { contentType: "text/plain", setContentTypeIfEmpty: true } },
      { name: "none", input: {} },
      { name: "secret", ingressPrivate: true },
    ]),
    service("Hidden", [{ name: "run" }], { ingressPrivate: true }),
    service("Counter", [{ name: "add" }, { name: "get", ty: "SHARED" }, { name: "send" }], {
      ty: "VIRTUAL_OBJECT",
    }),
    service("Signup", [{ name: "run", ty: "WORKFLOW" }, { name: "status" }], { ty: "WORKFLOW" }),
  );
  const waiters = new ResultWaiters();
  const ingress = new Ingress({ door, waiters, clock: { nowMs: () => NOW_MS }, ...options });
  const listener = await Listener.listen({
    host: "127.0.0.1",
    port: 0,
    source: "ingress",
    handle: ingress.handle,
    http2: ingress.handle,
    onError: (error) => assert.fail(String(error)),
  });
  open.push(listener);
  return { door, waiters, port: listener.port, url: listener.url };
}

export const bytes = (text: string): Uint8Array => Buffer.from(text);
export const value = (text: string): Outcome => ({ kind: "value", value: bytes(text) });
export const failure = (code: number, message = "no"): Outcome => ({
  kind: "failure",
  failure: { code, message },
});

/** A machine that answers each call at once with the outcome. */
export function finishing(fixture: Fixture, outcome: (input: Input) => Outcome): void {
  let seq = 0;
  fixture.door.reply = (input) => {
    if (input.type !== "invoke") return null;
    seq += 1;
    const finished = { type: "finished", seq, outcome: outcome(input) } as const;
    setImmediate(() => setImmediate(() => fixture.waiters.finished(finished)));
    return { kind: "accepted", seq, id: input.id, isNew: true, startAtMs: null };
  };
}

export function replying(fixture: Fixture, reply: Reply): void {
  fixture.door.reply = () => reply;
}

export const accepted = (fields: Partial<Extract<Reply, { kind: "accepted" }>> = {}): Reply => ({
  kind: "accepted",
  seq: 1,
  id: ID,
  isNew: true,
  startAtMs: null,
  ...fields,
});

export const completed = (outcome: Outcome, handler = "greet"): Reply => ({
  kind: "completed",
  id: ID,
  target: { service: "Greeter", handler },
  startAtMs: null,
  outcome,
  expiresAtMs: EXPIRES_MS,
});

export const post = (
  url: string,
  body: string,
  headers: Record<string, string> = JSON_BODY,
): Promise<Response> => fetch(url, { method: "POST", body, headers });
