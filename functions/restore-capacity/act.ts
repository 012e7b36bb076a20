import type { Acted, Approved } from '../../shared/function.ts';
import { isService, type RestoreCall } from './facts.ts';
import type { GroupCall } from './group/decide.ts';
import type { ServiceCall } from './service/decide.ts';

type Act<C extends RestoreCall> = (approved: readonly Approved<C>[]) => Promise<ReadonlyMap<string, Acted>>;

/** Makes the calls of services and of groups side by side. */
export const act =
  (services: Act<ServiceCall>, groups: Act<GroupCall>): Act<RestoreCall> =>
  async (approved) => {
    const acted = await Promise.all([services(approved.filter(isOfService)), groups(approved.filter(isOfGroup))]);
    return new Map(acted.flatMap((all) => [...all]));
  };

const isOfService = (one: Approved<RestoreCall>): one is Approved<ServiceCall> => isService(one);
const isOfGroup = (one: Approved<RestoreCall>): one is Approved<GroupCall> => !isService(one);
