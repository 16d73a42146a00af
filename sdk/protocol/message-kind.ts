/** Which part of the union a message belongs to. */
import { isCommand, isNotification } from "./message-type.ts";
import type { Command, Message, Notification } from "./messages.ts";

export function isCommandMessage(message: Message): message is Command {
  return isCommand(message.type);
}

export function isNotificationMessage(message: Message): message is Notification {
  return isNotification(message.type);
}
