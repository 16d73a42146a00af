/** Failures as one line, or with their stack. */
import { decodeMessage } from "../../../sdk/protocol/codec.ts";
import { MessageType } from "../../../sdk/protocol/message-type.ts";
import type { SqlArgument } from "./sql-argument.ts";

/** What the codes of failed attempts are called. */
const CODES: Readonly<Record<number, string>> = {
  500: "Internal",
  570: "Journal mismatch",
  571: "Protocol violation",
  572: "Awaiting two async results",
  573: "Unsupported feature",
};

/** `[500 Internal] message`, and the stack behind it. */
export function failureText(
  code: SqlArgument,
  message: SqlArgument,
  stack: SqlArgument,
): string | null {
  if (typeof code !== "number") return null;
  const name = CODES[code];
  const line = `[${name === undefined ? code : `${code} ${name}`}] ${String(message)}`;
  return typeof stack === "string" && stack !== "" ? `${line}\n${stack}` : line;
}

/** Of an Output entry: `[409] message`, or null when it is a value. */
export function outputFailure(body: SqlArgument): string | null {
  if (!(body instanceof Uint8Array)) return null;
  const output = decodeMessage(MessageType.OutputCommand, body);
  if (output.type !== MessageType.OutputCommand || output.result.kind === "value") return null;
  const { code, message } = output.result.failure;
  return `[${code}] ${message}`;
}
