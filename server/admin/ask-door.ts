import type { Reply } from "../machine/effect.ts";
import type { Input } from "../machine/input.ts";
import type { Door } from "../processor/ports.ts";

export type AppliedReply = Exclude<Reply, { kind: "failed" }>;

/** Asks the door; rejects when the input could not be applied. */
export async function askDoor(
  door: Door,
  input: (replyTo: number) => Input,
): Promise<AppliedReply> {
  const reply = await new Promise<Reply>((resolve) => door.ask(input, resolve));
  if (reply.kind === "failed") throw new Error(`an input could not be applied: ${reply.message}`);
  return reply;
}
