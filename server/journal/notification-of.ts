import { decodeMessage } from "../../sdk/protocol/codec.ts";
import { isNotificationMessage } from "../../sdk/protocol/message-kind.ts";
import { isNotification } from "../../sdk/protocol/message-type.ts";
import type { Notification } from "../../sdk/protocol/messages.ts";
import type { Entry } from "./summary.ts";

/** The notification that an entry holds; undefined for a command, which is not decoded. */
export function notificationOf({ type, body }: Entry): Notification | undefined {
  if (!isNotification(type)) return undefined;
  const message = decodeMessage(type, body);
  return isNotificationMessage(message) ? message : undefined;
}
