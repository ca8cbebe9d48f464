import type { EventKind } from './envelope.ts';
import { accessKind } from './kinds/access.ts';
import { changeRequestKind } from './kinds/change-request.ts';
import { grantKind } from './kinds/grant.ts';
import { sessionKind } from './kinds/session.ts';

/** The kinds of events, each with a file of its own. Nothing else in the delivery of events knows a kind. */
export const eventKinds: readonly EventKind[] = [grantKind, sessionKind, changeRequestKind, accessKind];
