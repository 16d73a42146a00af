import { decodeMessage } from "../../sdk/protocol/codec.ts";
import { isNotification } from "../../sdk/protocol/message-type.ts";
import type { Notification } from "../../sdk/protocol/messages.ts";
import type { Entry } from "./summary.ts";

/** The notification that an entry holds; undefined for a command. */
export function notificationOf({ type, body }: Entry): Notification | undefined {
  if (!isNotification(type)) return undefined;
  const message = decodeMessage(type, body);
  return "id" in message && "result" in message ? message : undefined;
}
