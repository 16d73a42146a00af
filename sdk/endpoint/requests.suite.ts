/** For tests: services, and the bodies of requests to them and of their responses. */
import type { Context } from "../define/context.ts";
import { service } from "../define/service.ts";
import { decodeMessage, encodeMessage } from "../protocol/codec.ts";
import { FrameDecoder } from "../protocol/frame.ts";
import type { Message } from "../protocol/messages.ts";
import { start } from "../replay/machine.suite.ts";

export const V6 = "application/vnd.restate.invocation.v6";
export const MANIFEST_V4 = "application/vnd.restate.endpointmanifest.v4+json";

/** What handlers saw, for tests that look behind the wire. */
export const seen: unknown[] = [];

export const tested = service({
  name: "T",
  handlers: {
    echo: async (_ctx: Context, text: string) => text,
    step: async (ctx: Context) => ctx.run("a", () => 42),
    wait: async (ctx: Context) => {
      ctx.request().attemptCompletedSignal.addEventListener("abort", () => seen.push("aborted"));
      await ctx.awakeable().promise;
    },
    big: async (ctx: Context) => {
      const size = await ctx.run("size", () => 1);
      for (let count = 0; count < 40; count += 1) {
        ctx.resolveAwakeable("sign_1x", "x".repeat(size * 100_000));
      }
    },
    extra: async (ctx: Context) => {
      seen.push(...ctx.request().extraArgs, ctx.request().attemptHeaders.get("x-from"));
    },
  },
});

/** The body of an invocation whose journal has these entries. */
export const invocation = (...entries: Message[]): Buffer<ArrayBuffer> =>
  Buffer.concat([start(entries.length), ...entries].map((message) => encodeMessage(message)));

export function messagesOf(body: Uint8Array): Message[] {
  const decoder = new FrameDecoder(1 << 25);
  // Not a Buffer, so that messages compare.
  decoder.push(new Uint8Array(body));
  const messages: Message[] = [];
  for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
    messages.push(decodeMessage(frame.type, frame.body));
  }
  return messages;
}
