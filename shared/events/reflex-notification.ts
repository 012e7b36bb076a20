import type { NotificationEvent, Parsed } from './event.ts';
import { type Fields, object, read, text } from './fields.ts';

const notification = object({ detail: object({ subject: text, message: text }) });

/** What SNS did not take, as `notificationBody` writes it. */
export function parseNotification(body: Fields): Parsed {
  return { kind: 'event', event: { kind: 'notification', ...read(notification, body).detail } };
}

/** The text to put into the inbox; parsed, it is the same event again. */
export function notificationBody({ subject, message }: Omit<NotificationEvent, 'kind'>): string {
  return JSON.stringify({ source: 'reflex', 'detail-type': 'Notification', detail: { subject, message } });
}
