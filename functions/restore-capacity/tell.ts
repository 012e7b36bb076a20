import type { HistoryRecord } from '../../shared/ledger/types.ts';
import type { Subject } from '../../shared/swarm.ts';
import { isService } from './facts.ts';
import * as group from './group/tell.ts';
import * as service from './service/tell.ts';

/** What a notification is about: the part the resource belongs to says. */
export const subjectOf = (record: HistoryRecord): Subject | null =>
  (isService(record) ? service : group).subjectOf(record);
