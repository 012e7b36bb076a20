import * as group from './group/policy.ts';
import * as service from './service/policy.ts';

/**
 * The settings of one resource. A tag means one thing on a service and another on a group, so the part it belongs to reads them.
 * Each throws SettingError for a tag that is unknown or malformed.
 */
export interface Policy {
  readonly service: () => service.ServicePolicy;
  readonly group: () => group.GroupPolicy;
}

/** Settings by part; see docs/configuration.md. */
export const settings = [service.settings, group.settings] as const;
