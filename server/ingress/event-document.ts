/** A published event in a list of them; pure. */
import { rfc3339 } from "../base/rfc3339.ts";
import type { EventState } from "../machine/effect.ts";

interface ListedEvent {
  readonly key: string;
  readonly state: EventState;
}

/** The value as JSON where it is JSON, otherwise its bytes in base64. */
export function eventDocument({ key, state }: ListedEvent): Record<string, unknown> {
  const { index: version, atMs, outcome } = state;
  const common = { key, version, setAt: rfc3339(atMs) };
  if (outcome.kind === "failure") {
    const { code, message } = outcome.failure;
    return { ...common, failure: { code, message } };
  }
  return { ...common, ...valueFields(outcome.value) };
}

const UTF8 = new TextDecoder("utf-8", { fatal: true });

function valueFields(value: Uint8Array): Record<string, unknown> {
  if (value.length === 0) return {};
  try {
    return { value: JSON.parse(UTF8.decode(value)) as unknown };
  } catch {
    return { valueBase64: Buffer.from(value).toString("base64") };
  }
}
